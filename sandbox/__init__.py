"""Stand-ins of the systems around the product, and the servers that demo, tests and benchmarks run beside."""
