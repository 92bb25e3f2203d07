"""The limit on log lines of an outage."""

import json

from in_memory.hand_clock import HandClock
from in_memory.written_log import written_log

from shared.broker.errors import NotAccepted
from shared.runtime.outage_lines import PAUSE_SECONDS, OutageLines, limit_outage_lines, log_outage
from shared.runtime.resilience import log_failure
from shared.storage.db.engine import CommitUnknown, DatabaseUnavailable


def logged(text: str) -> list[tuple[str, int]]:
    """Return the events of the lines, each with the number of those that were left out before it."""
    lines = [json.loads(line) for line in text.splitlines()]
    return [(line["event"], line.get("left_out", 0)) for line in lines]


def test_an_outage_writes_few_lines_and_the_next_ones_say_how_many_were_left_out() -> None:
    """Each kind has its own; what is unexpected is always written."""
    clock = HandClock()
    with written_log("json", "info", "test") as log:
        limit_outage_lines(OutageLines(clock.monotonic))
        for number in range(100):
            log_failure(f"payment {'x' * number}", DatabaseUnavailable("no connection"))
        log_failure("result not stored", CommitUnknown("lost"))
        log_failure("message not published", NotAccepted("no connection"))
        log_failure("session failed", ValueError("a bug"))
        clock.now += PAUSE_SECONDS
        log_failure("still away", DatabaseUnavailable("no connection"))
        clock.now += 100 * PAUSE_SECONDS
        log_failure("away again", DatabaseUnavailable("no connection"))

        assert logged(log.getvalue()) == [
            ("payment ", 0),
            ("payment x", 0),
            ("message not published", 0),
            ("session failed", 0),
            ("still away", 99),
            ("away again", 0),
        ]


def test_nothing_is_left_out_at_level_debug() -> None:
    with written_log("json", "debug", "test") as log:
        for _ in range(10):
            log_outage("broker", "reply not sent")

        assert logged(log.getvalue()) == [("reply not sent", 0)] * 10


def test_a_process_has_the_limit_from_the_configuration_of_its_log_on() -> None:
    with written_log("json", "info", "test") as log:
        for _ in range(10):
            log_outage("broker", "reply not sent", "error", payment_id="pay_1")

        assert len(logged(log.getvalue())) == 2
    # Without one, as in a test, every line is written.
    with written_log("json", "info", "test") as log:
        limit_outage_lines(None)
        for _ in range(10):
            log_outage("broker", "reply not sent")

        assert len(logged(log.getvalue())) == 10
