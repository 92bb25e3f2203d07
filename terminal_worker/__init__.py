"""Consumes payments, claims the terminal, runs the Concert session and stores what came of it."""
