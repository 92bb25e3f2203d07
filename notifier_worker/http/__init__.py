"""The HTTP client, which posts to checked addresses only."""
