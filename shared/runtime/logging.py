"""Logs: one JSON line an event, with the payment's id, without card numbers or passwords.

Events of structlog (ours) and of the standard library (uvicorn, aio_pika) go through the same processors. A
terminal's texts are masked by the codec already; here they are masked again.
"""

import json
import logging
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor

from shared.concert.mask import mask_card_numbers, mask_personal
from shared.runtime.ids import PAYMENT_ID
from shared.runtime.outage_lines import OutageLines, limit_outage_lines

LogFormat = Literal["auto", "json", "console"]
LogLevel = Literal["debug", "info", "warning", "error"]

#: `scheme://user:password@`, as in a library's error message.
_PASSWORD_IN_URL: Final = re.compile(r"(?<=://)([^\s:/@]*):[^\s/@]*@")
_SANE_REQUEST_ID: Final = re.compile(r"[\x21-\x7e]{1,128}")
_TRACE_ID: Final = re.compile(r"[0-9a-f]{32}")
#: A text in which nothing can be masked: without `@` and with fewer digits than any phone number, or a
#: payment's id.
_HARMLESS: Final = re.compile(rf"[^0-9@]*+(?:[0-9][^0-9@]*+){{0,9}}|{PAYMENT_ID.pattern}")
#: A longer text is not searched before it is cut.
_HARMLESS_CHARACTERS: Final = 200
#: The largest number with fewer digits than any card number.
_LARGEST_UNMASKED: Final = 99_999_999_999
#: The longest text, a traceback's too, and the longest event.
TEXT_CHARACTERS: Final = 6_000
LINE_CHARACTERS: Final = 12_000
_MASKED_CHARACTERS: Final = 10 * TEXT_CHARACTERS
_CARD_CHARACTERS: Final = "0123456789 -"
#: The lowest level of libraries whose events repeat ours. RabbitMQ's client logs each attempt to reconnect, a
#: second apart for each connection; `shared.broker.outages` logs the outage.
_QUIET_LIBRARIES: Final = {
    "uvicorn.error": logging.WARNING,
    "aiormq": logging.WARNING,
    "aiormq.connection": logging.CRITICAL,
    "aio_pika.robust_connection": logging.ERROR,
    "aiosqlite": logging.WARNING,
    "alembic": logging.WARNING,
    # Each try to send spans to a collector that is away; the last line of each batch is an error.
    "opentelemetry": logging.ERROR,
}


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
    render: Processor = (
        structlog.dev.ConsoleRenderer(
            colors=output.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        if console
        else _render_json
    )

    def add_process(_logger: object, _method: str, event: EventDict) -> EventDict:
        event.setdefault("process", process)
        return event

    last: list[Processor] = [add_process, mask_event, render]
    handler = logging.StreamHandler(output)
    names = structlog.stdlib.LoggerFactory()
    structlog.configure(
        processors=[structlog.stdlib.PositionalArgumentsFormatter(), *shared, _as_argument],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *name: _Logger(names(*name).name, last, handler),
        cache_logger_on_first_use=False,
    )
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    limit_outage_lines(OutageLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name, lowest in _QUIET_LIBRARIES.items():
        logging.getLogger(name).setLevel(level if level == logging.DEBUG else max(level, lowest))
    logging.getLogger("aio_pika.tools").addFilter(_is_no_closed_channel)


class _Logger:
    """A logger of our own events: they go to the handler's stream without the way through its records.

    As with a handler, an event that cannot be written stops nobody.
    """

    __slots__ = ("_handler", "_processors", "name")

    def __init__(
        self, name: str, processors: Sequence[Processor], handler: "logging.StreamHandler[TextIO]"
    ) -> None:
        self.name: Final = name
        self._processors: Final = processors
        self._handler: Final = handler

    def info(self, event: EventDict) -> None:
        """Write an event; its level is one of its fields already."""
        handler = self._handler
        try:
            line: Any = event
            for process in self._processors:
                line = process(self, "", line)
            handler.acquire()
            try:
                handler.stream.write(f"{line}\n")
                handler.flush()
            finally:
                handler.release()
        except Exception:
            handler.handleError(logging.makeLogRecord({"name": self.name, "msg": "event not written"}))

    debug = warning = error = critical = info


def _as_argument(_logger: object, _method: str, event: EventDict) -> tuple[tuple[EventDict], dict[str, Any]]:
    """Return the event as the logger's only argument."""
    return (event,), {}


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False)


def _render_json(_logger: object, _method: str, event: EventDict) -> str:
    return _ENCODER.encode(event)


def bound(
    *,
    payment_id: str | None = None,
    request_id: str | None = None,
    probe_id: str | None = None,
    delivery_id: str | None = None,
) -> AbstractContextManager[None]:
    """Add the ids to every line that is logged inside the block, in this task and those it starts."""
    ids = {
        "payment_id": payment_id,
        "request_id": request_id,
        "probe_id": probe_id,
        "delivery_id": delivery_id,
    }
    return _Bound({name: value for name, value in ids.items() if value})


class _Bound:
    """A block with ids on its log lines; thousands of requests are inside of one, so it is no generator."""

    __slots__ = ("_before", "_ids")

    def __init__(self, ids: Mapping[str, str]) -> None:
        self._ids: Final = ids
        self._before: Mapping[str, Any] = {}

    def __enter__(self) -> None:
        context = structlog.contextvars.get_contextvars()
        self._before = {name: context[name] for name in self._ids if name in context}
        structlog.contextvars.bind_contextvars(**self._ids)

    def __exit__(self, *_: object) -> None:
        structlog.contextvars.unbind_contextvars(*self._ids)
        structlog.contextvars.bind_contextvars(**self._before)


def request_of(subject_id: str) -> str | None:
    """Return the id of the request that this task works for, if it is about this payment, probe or delivery.

    A worker that publishes the terminal's next payment works for another request than that payment's.
    """
    ids = structlog.contextvars.get_contextvars()
    subjects = (ids.get("payment_id"), ids.get("probe_id"), ids.get("delivery_id"))
    request_id: str | None = ids.get("request_id") if subject_id in subjects else None
    return request_id


def bound_request() -> str | None:
    """Return the id of the request that this task works for."""
    request_id: str | None = structlog.contextvars.get_contextvars().get("request_id")
    return request_id


def is_sane_request_id(text: str) -> bool:
    """Return True for 1 to 128 printable ASCII characters without blanks."""
    return _SANE_REQUEST_ID.fullmatch(text) is not None


def mask_event(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Mask cards, passwords, e-mail addresses and phones in all texts of an event; limit its size."""
    left = _Budget(LINE_CHARACTERS)
    if sum(_size(value) for value in event.values()) < LINE_CHARACTERS:
        return {key: _masked_member(key, value, left) for key, value in event.items()}
    # The event's name first, then short values: they are kept where long texts use up the budget.
    order = sorted(event, key=lambda key: (key != "event", _size(event[key])))
    masked = {key: _masked_member(key, event[key], left) for key in order}
    return {key: masked[key] for key in event}


def _masked_member(key: str, value: Any, left: "_Budget") -> Any:
    """Return a member masked; a trace's id stays: its digits are random, and masked it finds no trace."""
    if key == "trace_id" and isinstance(value, str) and _TRACE_ID.fullmatch(value) is not None:
        return value
    return _masked(value, left)


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
        size = len(text)
        if size <= min(_HARMLESS_CHARACTERS, self._characters) and _HARMLESS.fullmatch(text) is not None:
            self._characters -= size
            return text
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


def _is_no_closed_channel(record: logging.LogRecord) -> bool:
    """Return False for the client's complaint that a channel was closed with its lost connection."""
    return "RobustChannel._on_close" not in record.getMessage()


def _add_time(_logger: object, _method: str, event: EventDict) -> EventDict:
    moment = datetime.now(UTC).isoformat(timespec="milliseconds")
    event["time"] = moment.replace("+00:00", "Z")
    return event
