"""Logs: one JSON line an event, with the payment's id, without card numbers or passwords.

Events of structlog (ours) and of the standard library (uvicorn, aio_pika) go through the same processors. A
terminal's texts are masked by the codec already; here they are masked again.
"""

import logging
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor

from shared.concert.mask import mask_card_numbers, mask_personal

LogFormat = Literal["auto", "json", "console"]
LogLevel = Literal["debug", "info", "warning", "error"]

#: `scheme://user:password@`, as in a library's error message.
_PASSWORD_IN_URL: Final = re.compile(r"(?<=://)([^\s:/@]*):[^\s/@]*@")
#: The largest number with fewer digits than any card number.
_LARGEST_UNMASKED: Final = 99_999_999_999
#: The longest text, a traceback's too, and the longest event.
TEXT_CHARACTERS: Final = 6_000
LINE_CHARACTERS: Final = 12_000
_MASKED_CHARACTERS: Final = 10 * TEXT_CHARACTERS
_CARD_CHARACTERS: Final = "0123456789 -"
#: Libraries whose `info` events repeat ours.
_QUIET_LIBRARIES: Final = ("uvicorn.error", "aiormq", "aiosqlite", "alembic")


def configure_logging(
    log_format: LogFormat, log_level: LogLevel, *, process: str, stream: TextIO | None = None
) -> None:
    """Send every log line of this process to `stream` (standard error), with the name of the process.

    Called once in a process, before its composition root runs.
    """
    output = stream or sys.stderr
    console = log_format == "console" or (log_format == "auto" and output.isatty())
    level = logging.getLevelNamesMapping()[log_level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        _add_time,
        structlog.processors.format_exc_info,
    ]
    last: Processor = (
        structlog.dev.ConsoleRenderer(
            colors=output.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        if console
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )

    def add_process(_logger: object, _method: str, event: EventDict) -> EventDict:
        event.setdefault("process", process)
        return event

    structlog.configure(
        processors=[
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                add_process,
                mask_event,
                last,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


@contextmanager
def bound(
    *, payment_id: str | None = None, request_id: str | None = None, probe_id: str | None = None
) -> Iterator[None]:
    """Add the ids to every line that is logged inside the block, in this task and those it starts."""
    ids = {"payment_id": payment_id, "request_id": request_id, "probe_id": probe_id}
    with structlog.contextvars.bound_contextvars(**{key: value for key, value in ids.items() if value}):
        yield


def mask_event(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Mask cards, passwords, e-mail addresses and phones in all texts of an event; limit its size."""
    left = _Budget(LINE_CHARACTERS)
    # The event's name first, then short values: they are kept where long texts use up the budget.
    order = sorted(event, key=lambda key: (key != "event", _size(event[key])))
    masked = {key: _masked(event[key], left) for key in order}
    return {key: masked[key] for key in event}


def _size(value: Any) -> int:
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return LINE_CHARACTERS
    return len(value) if isinstance(value, str | bytes) else 0


class _Budget:
    """The characters that an event may still have, so that a client cannot fill the disk with logs."""

    def __init__(self, characters: int) -> None:
        self._characters = characters

    @property
    def is_used_up(self) -> bool:
        return self._characters <= 0

    def take(self, text: str) -> str:
        """Return the text masked and, where it is too long, without its middle."""
        # Masked before it is cut to its final length: a password is recognised by the URL around it.
        plain = _shortened(text, _MASKED_CHARACTERS)
        masked = mask_personal(mask_card_numbers(_PASSWORD_IN_URL.sub(r"\1:***@", plain)))
        shown = _shortened(masked, max(0, min(TEXT_CHARACTERS, self._characters)))
        self._characters -= len(shown)
        return shown


def _shortened(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    # Never within a number: half a card number would not be recognised as one.
    head = text[: most // 2].rstrip(_CARD_CHARACTERS)
    tail = text[len(text) - most // 2 :].lstrip(_CARD_CHARACTERS)
    return f"{head} ...{len(text) - len(head) - len(tail)} characters left out... {tail}"


def _masked(value: Any, left: _Budget) -> Any:
    match value:
        case str():
            return left.take(value)
        case int() if value > _LARGEST_UNMASKED:
            return left.take(str(value))
        case bool() | int() | float() | None:
            return value
        case bytes():
            return _masked(value.decode("latin-1"), left)
        case Mapping():
            kept = ((key, item) for key, item in value.items() if not left.is_used_up)
            return {left.take(str(key)): _masked(item, left) for key, item in kept}
        case list() | tuple() | set() | frozenset():
            return [_masked(item, left) for item in value if not left.is_used_up]
        case _:
            return _masked(str(value), left)


def _add_time(_logger: object, _method: str, event: EventDict) -> EventDict:
    moment = datetime.now(UTC).isoformat(timespec="milliseconds")
    event["time"] = moment.replace("+00:00", "Z")
    return event
