"""The published contract: a payment order, and the readiness of the service for one."""
