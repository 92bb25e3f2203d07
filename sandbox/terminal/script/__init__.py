"""Scripted behaviour of customer, bank and terminal."""
