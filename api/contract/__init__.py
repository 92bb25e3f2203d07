"""The HTTP contract, pure: request checks, answers, errors."""
