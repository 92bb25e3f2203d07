"""The command cloud-terminal: one module a verb."""
