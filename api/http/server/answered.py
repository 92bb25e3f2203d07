"""The payment that an answer is about, told by routes and error handlers to the outermost layer."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

#: The key of a scope under which its credential is found, once it was checked.
CREDENTIAL: Final = "cloud_terminal.credential"


@dataclass(slots=True)
class AnswerAbout:
    """The payment of one answer; None: it is about none, or its client is no merchant."""

    payment_id: str | None = None
    #: `Success`, `Failed`, `accepted`, or the error's code.
    code: str = ""


_answer: ContextVar[AnswerAbout | None] = ContextVar("answer", default=None)


@contextmanager
def watched_answer() -> Iterator[AnswerAbout]:
    """Return what this request's answer is about, as it becomes known."""
    about = AnswerAbout()
    token = _answer.set(about)
    try:
        yield about
    finally:
        _answer.reset(token)


def about_payment(payment_id: str, code: str = "") -> None:
    """Tell that this request's answer is about a payment of its merchant."""
    about = _answer.get()
    if about is not None:
        about.payment_id, about.code = payment_id, code


def answered_with(code: str) -> None:
    """Tell the code of this request's answer."""
    about = _answer.get()
    if about is not None:
        about.code = code
