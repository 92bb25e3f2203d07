"""Verbs about terminals, workers and deliveries, over the API."""
