"""Verbs about totals: show them, compare them with a file of somebody else's."""
