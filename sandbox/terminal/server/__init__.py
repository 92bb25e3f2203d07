"""The Concert server: connections, requests, answers."""
