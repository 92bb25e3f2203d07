"""Routes of operators and gateways: payments in doubt, conflicting evidence, decisions."""
