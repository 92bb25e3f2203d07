"""Payments in doubt, dead workers, lost messages."""
