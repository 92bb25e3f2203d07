"""Measures of processes and of the machine: CPU, memory, metrics, stacks, versions."""
