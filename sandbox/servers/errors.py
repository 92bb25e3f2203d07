"""Why a server could not be had.

ServersUnavailable            what a caller of `start_servers` sees; the text says what to type
├── SourceMissing             this way is closed on this machine, the next one is tried
└── StartFailed               the way is open, but the server did not come up; nothing else is tried
    └── PortTaken             somebody took a port between choosing and listening; tried again with others
"""


class ServersUnavailable(Exception):
    """No server could be found or started; the message names what is missing and what to type."""


class SourceMissing(ServersUnavailable):
    """This way of getting a server does not exist here (no engine, not installed, no package lists)."""


class StartFailed(ServersUnavailable):
    """A server was found, but it did not answer in time or ended; the message holds the end of its log."""


class PortTaken(StartFailed):
    """The server ended because one of its ports was in use."""
