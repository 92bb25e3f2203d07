"""The terminal worker: consumes payments, runs their Concert sessions and stores the results."""
