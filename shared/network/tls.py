"""TLS to database and broker: their certificates are verified by the authorities of a file."""

import ssl
from pathlib import Path


def verifying_context(ca_file: Path) -> ssl.SSLContext:
    """Return a client's context that trusts this file's authorities alone, and checks the server's name.

    Raises OSError and ssl.SSLError.
    """
    return ssl.create_default_context(cafile=str(ca_file))


def ca_file_problem(ca_file: Path) -> str | None:
    """Return what is wrong with a file of authorities; None: it has at least one."""
    try:
        context = verifying_context(ca_file)
    except ssl.SSLError:
        return f"{ca_file} has no certificate (PEM)"
    except OSError as error:
        return f"cannot read {ca_file}: {error.strerror}"
    return None if context.get_ca_certs() else f"{ca_file} has no certificate of an authority"
