"""Log lines are JSON with the payment's id, and hold no card number and no password."""

import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from in_memory.written_log import logging_restored, written_log

from shared.concert.mask import mask_card_numbers, mask_personal
from shared.runtime.logging import bound, configure_logging

CARD = "4970101234567890"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    with written_log("auto", "info", "api") as stream:
        yield stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_with_time_in_utc_level_and_process(written: io.StringIO) -> None:
    """`auto` writes JSON where the output is not a terminal."""
    structlog.get_logger("shop").info("opened", port=8080)

    [line] = lines(written)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert line == {"event": "opened", "port": 8080, "level": "info", "logger": "shop", "process": "api"}


def test_ids_are_on_every_line_inside_the_block_only(written: io.StringIO) -> None:
    """One payment's lines are found by its id, whichever module wrote them."""
    with bound(payment_id="pay_1", request_id="r1"):
        structlog.get_logger().info("a")
        logging.getLogger("aio_pika").warning("b %s", 1)
    structlog.get_logger().info("c")

    first, second, third = lines(written)
    assert (first["payment_id"], first["request_id"]) == ("pay_1", "r1")
    assert (second["payment_id"], second["event"]) == ("pay_1", "b 1")
    assert "payment_id" not in third


def test_card_numbers_are_masked_everywhere(written: io.StringIO) -> None:
    """In the event, in nested values, in numbers, in bytes, in a library's events, in a traceback."""
    log = structlog.get_logger()
    log.info(
        f"read {CARD}", frame=f"AA016{CARD}".encode(), deep={"a": [CARD, {"b": (CARD,)}]}, number=int(CARD)
    )
    logging.getLogger("uvicorn").warning("body %s", {"card": CARD})
    try:
        raise ValueError(CARD)
    except ValueError:
        log.exception("failed")

    text = written.getvalue()
    assert len(lines(written)) == 3
    assert "ValueError" in text
    assert CARD not in text
    assert CARD[6:] not in text


@pytest.mark.parametrize(
    "text", ["marie.durand@example.org", "0612345678", "06 12 34 56 78", "+33 6 12 34 56 78", "+33612345678"]
)
def test_e_mail_addresses_and_phones_are_masked(written: io.StringIO, text: str) -> None:
    """In any text."""
    structlog.get_logger().info(f"receipt to {text}, sent", said={"to": [text]})

    assert text not in written.getvalue()
    assert "receipt to ***, sent" in written.getvalue()


@pytest.mark.parametrize(
    "text", ["amqp://guest@rabbit.example/", "pay_01JD7Z4QK50612345678M2N3P6", "20610203040506"]
)
def test_addresses_and_ids_stay_readable(written: io.StringIO, text: str) -> None:
    """An operator searches for them."""
    structlog.get_logger().info("about", what=text)

    assert text in written.getvalue()


@given(text=st.text(alphabet="0123456789 -+.@:/apy_", max_size=40))
def test_short_texts_are_masked_as_long_ones(text: str) -> None:
    """The look that spares harmless texts the masks lets nothing through."""
    with written_log("json", "info", "api") as stream:
        structlog.get_logger().info("about", what=text)

    [line] = lines(stream)
    assert line["what"] == mask_personal(
        mask_card_numbers(re.sub("(?<=://)([^ :/@]*):[^ /@]*@", r"\1:***@", text))
    )


def test_an_event_that_cannot_be_written_stops_nobody() -> None:
    """A full disk, a closed pipe, a value without a text: the caller goes on, and later lines are written."""

    class Full(io.StringIO):
        is_full = True

        def write(self, text: str) -> int:
            if self.is_full:
                raise OSError("No space left on device")
            return super().write(text)

    stream = Full()
    with logging_restored():
        configure_logging("json", "info", process="api", stream=stream)
        structlog.get_logger().info("lost")
        stream.is_full = False
        structlog.get_logger().info("unlike any value", value=Unprintable())
        structlog.get_logger().info("kept")

    assert [line["event"] for line in lines(stream)] == ["kept"]


class Unprintable:
    """A value whose text cannot be made."""

    def __str__(self) -> str:
        raise ValueError


def test_passwords_in_addresses_are_masked(written: io.StringIO) -> None:
    """Libraries put an unreachable address into their messages."""
    logging.getLogger("somebody").error("no way to amqp://user:hunter2@broker:5672/ or pg://u:hun%40ter2@h/d")

    [line] = lines(written)
    assert line["event"] == "no way to amqp://user:***@broker:5672/ or pg://u:***@h/d"


def test_a_line_is_bounded_whatever_is_logged(written: io.StringIO) -> None:
    """The start and the end of a long text stay, without a number at the cut."""
    long = "begin " + f"{CARD} " * 4_000 + "end"
    try:
        raise ValueError(long)
    except ValueError:
        structlog.get_logger().exception("failed", body={str(i): long for i in range(20)}, rows=[long] * 20)
    structlog.get_logger().info("x" * 100_000)

    text = written.getvalue()
    failed, other = lines(written)
    assert all(len(line) < 16_000 for line in text.splitlines())
    assert failed["event"] == "failed"
    assert "characters left out" in other["event"]
    assert re.search(r"[0-9]{7}", text.replace(failed["time"], "")) is None


def test_a_password_in_a_long_text_is_masked(written: io.StringIO) -> None:
    """Wherever the text is cut."""
    for size in range(2900, 3100, 4):
        structlog.get_logger().info("a" * (size - 30) + " amqp://user:secret-password@host/ " + "b" * 90_000)

    assert "secret" not in written.getvalue()
    assert "password@" not in written.getvalue()


def test_lines_below_the_level_are_not_written(written: io.StringIO) -> None:
    """The level holds for ours and for the libraries'."""
    structlog.get_logger().debug("a")
    logging.getLogger("aio_pika").debug("b")
    logging.getLogger("uvicorn.error").info("c")

    assert written.getvalue() == ""


def test_the_console_form_is_for_people_and_masks_as_well(written: io.StringIO) -> None:
    """A developer's terminal is no exception."""
    configure_logging("console", "info", process="api", stream=written)
    structlog.get_logger().info("paid", card=CARD)

    text = written.getvalue()
    assert "paid" in text
    assert "497010" in text
    assert CARD not in text
