"""Errors of a post that brought no answer.

Beside this tree stands `shared.network.targets.TargetRefused`: nothing was tried.

PostFailed
+-- NoConnection        name_unresolved | connection_failed | tls_failed
+-- CertificateInvalid  certificate_expired | certificate_not_yet_valid | certificate_name |
|                       certificate_untrusted
+-- TimedOut            name_timeout | connect_timeout | answer_timeout
+-- BadAnswer           no_answer | not_http | answer_too_large
"""

from typing import Final


class PostFailed(Exception):
    """No status came. `reason` is one of the stable words above, `text` a sentence for people."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason: Final = reason
        self.text: Final = text


class NoConnection(PostFailed):
    """The name has no address, or none of its addresses took a connection."""


class CertificateInvalid(PostFailed):
    """The receiver's certificate does not prove that it is the URL's host; nothing was sent to it."""


class TimedOut(PostFailed):
    """Something took too long. After `answer_timeout` the receiver may have worked on the request."""


class BadAnswer(PostFailed):
    """The receiver took the connection and gave no answer, or none that is HTTP within our limits."""
