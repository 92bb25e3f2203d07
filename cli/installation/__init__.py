"""Verbs about an installation: settings, database, broker, document."""
