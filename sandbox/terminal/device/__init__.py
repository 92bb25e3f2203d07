"""The device: card reader, screen, journal, and the run of one transaction."""
