"""The terminal's pages and its control API."""
