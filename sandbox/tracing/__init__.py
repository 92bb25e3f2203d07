"""Trace of the messages between the sandbox's systems: events, their numbers in the flows, their stream."""
