"""Errors of a post without an answer.

`shared.network.targets.TargetRefused` stands outside of this tree: no connection was tried.

PostFailed
+-- NoConnection        name_unresolved | connection_failed | tls_failed
+-- CertificateInvalid  certificate_expired | certificate_not_yet_valid | certificate_name |
|                       certificate_untrusted
+-- TimedOut            name_timeout | connect_timeout | answer_timeout
+-- BadAnswer           no_answer | not_http | answer_too_large
"""

from typing import Final


class PostFailed(Exception):
    """No status was received. `reason` is one of the codes above, `text` a human-readable sentence."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason: Final = reason
        self.text: Final = text


class NoConnection(PostFailed):
    """The name has no address, or none of its addresses took a connection."""


class CertificateInvalid(PostFailed):
    """The receiver's certificate does not prove that it is the URL's host; no request was sent."""


class TimedOut(PostFailed):
    """A step took too long. After `answer_timeout` the receiver may have processed the request."""


class BadAnswer(PostFailed):
    """The receiver accepted the connection and sent no answer, or none that is HTTP within our limits."""
