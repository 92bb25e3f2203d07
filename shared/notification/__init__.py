"""Notifications about payments, pure: no I/O and no clock."""
