"""Private RabbitMQ and PostgreSQL processes from installed or unpacked programs."""
