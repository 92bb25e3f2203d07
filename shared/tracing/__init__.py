"""Traces: the W3C context of a request, and spans where OpenTelemetry is switched on."""
