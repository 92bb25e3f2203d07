"""Plays the systems around us: the virtual terminal, and private servers for demo, tests and benchmarks."""
