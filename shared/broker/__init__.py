"""RabbitMQ: the topology, the messages and the connections."""
