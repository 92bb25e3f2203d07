"""Addresses, names and HTTP connections, checked and bounded."""
