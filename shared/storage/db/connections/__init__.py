"""Connections of both databases and their drivers, behind one form; URLs, poolers, file modes."""
