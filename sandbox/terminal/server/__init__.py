"""The Concert server: connections, requests read, answers written."""
