"""Logs: one JSON line an event, with the payment's id, without card numbers or passwords.

Whatever logs in a process (ours by structlog, uvicorn and aio_pika by the standard library) takes the same
way. What comes from a terminal is masked at the codec's border already; here it is masked again.
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

from shared.concert.mask import mask_card_numbers

LogFormat = Literal["auto", "json", "console"]
LogLevel = Literal["debug", "info", "warning", "error"]

#: `scheme://user:password@`: an address in somebody's error message.
_PASSWORD_IN_URL: Final = re.compile(r"(?<=://)([^\s:/@]*):[^\s/@]*@")
#: The largest number with fewer digits than any card's.
_LARGEST_HARMLESS: Final = 99_999_999_999
#: Libraries that say at `info` what we say ourselves.
_QUIET_LIBRARIES: Final = ("uvicorn.error", "aiormq", "aiosqlite", "alembic")


def configure_logging(
    log_format: LogFormat, log_level: LogLevel, *, process: str, stream: TextIO | None = None
) -> None:
    """Send every log line of this process to `stream` (standard error), each with the name of the process.

    Called once, by the composition root.
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
    """Put the ids on every line that is logged inside the block, in this task and those it starts."""
    ids = {"payment_id": payment_id, "request_id": request_id, "probe_id": probe_id}
    with structlog.contextvars.bound_contextvars(**{key: value for key, value in ids.items() if value}):
        yield


def mask_event(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Mask card numbers and passwords in every text of an event, however deep."""
    return {key: _masked(value) for key, value in event.items()}


def _masked(value: Any) -> Any:
    match value:
        case str():
            return mask_card_numbers(_PASSWORD_IN_URL.sub(r"\1:***@", value))
        case int() if value > _LARGEST_HARMLESS:
            return mask_card_numbers(str(value))
        case bool() | int() | float() | None:
            return value
        case bytes():
            return _masked(value.decode("latin-1"))
        case Mapping():
            return {str(key): _masked(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_masked(item) for item in value]
        case _:
            return _masked(str(value))


def _add_time(_logger: object, _method: str, event: EventDict) -> EventDict:
    moment = datetime.now(UTC).isoformat(timespec="milliseconds")
    event["time"] = moment.replace("+00:00", "Z")
    return event
