"""Verbs about payments, over the API."""
