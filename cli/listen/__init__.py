"""Command `cloud-terminal listen`: webhooks for a developer's machine, through the feed of events."""
