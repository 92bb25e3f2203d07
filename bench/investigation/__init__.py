"""Searches and totals in a large database, and what their indexes cost."""
