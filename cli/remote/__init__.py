"""Verbs that call the API: over HTTP with a credential, or on the machine with the database."""
