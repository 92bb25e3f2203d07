"""Command `cloud-terminal doctor` and its checks; each reads, and changes nothing."""
