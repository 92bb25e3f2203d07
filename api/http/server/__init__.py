"""The server: connections, acceptance, the outermost layer, and measures of every request."""
