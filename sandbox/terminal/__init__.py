"""A virtual payment terminal: a Concert server with a customer, a memory, and the faults of real ones."""
