"""A cash register (POS) in the browser: a client of the public API only."""
