"""Why the demo ends with status 1."""


class Unexpected(Exception):
    """Something is not as it must be; the message says what, for people."""
