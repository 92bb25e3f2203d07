"""Verbs about merchants, credentials and operators, over the API."""
