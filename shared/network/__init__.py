"""Checks and limits of addresses, host names and HTTP connections."""
