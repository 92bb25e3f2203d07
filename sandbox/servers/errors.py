"""Errors of finding and starting servers.

ServersUnavailable            raised by `start_servers`; the message says what to type
├── SourceMissing             this source does not exist on this machine, the next one is tried
└── StartFailed               the source exists, but the server did not start; no other one is tried
    └── PortTaken             another process took a port between choosing and listening; retried with others
"""


class ServersUnavailable(Exception):
    """Raised where no server could be found or started; the message says what is missing and what to type."""


class SourceMissing(ServersUnavailable):
    """Raised where a source does not exist here (no engine, not installed, no package lists)."""


class StartFailed(ServersUnavailable):
    """Raised for a server that did not answer in time or ended; the message holds the end of its log."""


class PortTaken(StartFailed):
    """Raised for a server that ended because one of its ports was in use."""
