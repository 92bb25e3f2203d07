"""Retention: purge of old payments, erasure of customer data, doubts after a restore."""
