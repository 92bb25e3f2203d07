"""Statements of operators: merchants, credentials, and the audit trail."""
