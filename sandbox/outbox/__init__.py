"""Messages that are sent until they are acknowledged, with scripted faults."""
