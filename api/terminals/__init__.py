"""Registered terminals, and the terminal addresses of orders."""
