"""The command `cloud-terminal`, one module for each group of verbs."""
