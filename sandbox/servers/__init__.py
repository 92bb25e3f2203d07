"""RabbitMQ and PostgreSQL for demo, tests and benchmarks: found or started."""
