"""Growth: the cost of each statement of the storage in a small and a large database."""
