"""The HTTP client that posts to checked addresses."""
