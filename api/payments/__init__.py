"""Payments: from the accepted order to the answer, and as resources."""
