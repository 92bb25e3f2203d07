"""Administration over the API: merchants and credentials, created and changed by operators."""
