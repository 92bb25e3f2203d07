"""Functions in PostgreSQL: the usual transactions of a payment as one statement each."""
