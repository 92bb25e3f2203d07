"""The HTTP edge: the contract's routes, credentials, requests and answers, and waiting for results."""
