"""The published contract: a payment order, and whether the service is ready for one."""
