"""Secrets, hashed or encrypted at rest."""
