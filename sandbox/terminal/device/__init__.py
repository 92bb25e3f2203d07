"""The device: its card reader, screen, journal and the run of one transaction."""
