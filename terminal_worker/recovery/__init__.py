"""Recovery: payments in doubt, dead workers and lost messages."""
