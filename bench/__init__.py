"""Benchmarks of payments against a bare request and reply, of notifications, and of overload."""
