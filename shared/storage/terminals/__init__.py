"""Statements on terminals: locks, workers, probes, merchants and their registry."""
