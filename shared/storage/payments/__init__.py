"""Statements on payments: accepted, claimed, settled, read."""
