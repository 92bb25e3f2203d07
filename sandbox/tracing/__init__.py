"""What really passed between the sandbox's systems: the hub of hops, their numbers, and their stream."""
