"""Finds or starts the RabbitMQ and the PostgreSQL that demo, tests and benchmarks run beside."""
