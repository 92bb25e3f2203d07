"""Verbs of the sandbox: all systems around the API, or a terminal alone."""
