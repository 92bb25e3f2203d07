"""Messages that are sent until somebody acknowledges them, with scriptable faults on the way."""
