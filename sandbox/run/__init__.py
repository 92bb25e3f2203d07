"""Runs the sandbox: its merchant, its addresses, our own processes beside it."""
