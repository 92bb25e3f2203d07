"""Limits of what clients may ask for: open payments, rates, stored bytes, overload."""
