"""Statements on events, deliveries and webhook endpoints."""
