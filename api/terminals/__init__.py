"""Registered terminals, and from an order to the address of its terminal."""
