"""The retry policy: the decision after an attempt."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier_worker.retry_policy import (
    LONGEST_RETRY_AFTER_SECONDS,
    RetrySchedule,
    after_answer,
    retry_after_seconds,
    within_life,
)
from shared.settings.load import load_settings
from shared.storage.webhooks.deliveries import Decision, Delivered, GiveUp, Retry

SCHEDULE = RetrySchedule((5, 30, 120))
#: Sat, 28 Nov 2026 12:00:00 GMT
NOW = 1_795_867_200.0


def judged(
    status: int, retry_after: str | None = None, tries: int = 1, *, ends_with_gone: bool = True
) -> Decision:
    return after_answer(
        status,
        retry_after,
        tries=tries,
        schedule=SCHEDULE,
        rng=random.Random(1),
        now_seconds=NOW,
        ends_with_gone=ends_with_gone,
    )


def again(decision: Decision) -> Retry:
    assert isinstance(decision, Retry)
    return decision


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_success(status: int) -> None:
    """The receiver has it; the exact 2xx does not matter."""
    assert judged(status) == Delivered()


@pytest.mark.parametrize("status", [300, 302, 307, 400, 401, 403, 404, 408, 422, 429, 500, 502, 503, 599])
def test_every_other_answer_is_retried(status: int) -> None:
    """A redirect and a 4xx, too: receivers are fixed during the retries."""
    assert isinstance(judged(status), Retry)


def test_gone_ends_the_delivery_and_the_endpoint() -> None:
    """410 is the one answer that asks for no further webhooks."""
    assert judged(410) == GiveUp("gone", endpoint_is_gone=True)


def test_hipay_is_never_gone() -> None:
    """One wrong answer of a proxy must not end its order notifications."""
    assert isinstance(judged(410, ends_with_gone=False), Retry)


@pytest.mark.parametrize(
    ("status", "is_targets"),
    [
        (500, True),
        (503, True),
        (429, True),
        (408, True),
        (401, True),
        (404, True),
        (400, False),
        (422, False),
    ],
)
def test_an_answer_about_one_message_does_not_count_against_its_receiver(
    status: int, is_targets: bool
) -> None:
    """A receiver that refuses one event still gets all others."""
    assert again(judged(status)).is_targets is is_targets


@pytest.mark.parametrize(("tries", "longest"), [(1, 5), (2, 30), (3, 120), (4, 120), (500, 120)], ids=str)
def test_a_pause_is_a_random_part_of_its_step_and_the_last_step_is_repeated(
    tries: int, longest: float
) -> None:
    """Full jitter: the pause is anywhere in the range."""
    rng = random.Random(7)

    pauses = [SCHEDULE.pause(tries, rng) for _ in range(500)]

    assert min(pauses) >= 0
    assert max(pauses) <= longest
    assert min(pauses) < 0.05 * longest
    assert max(pauses) > 0.95 * longest


def test_the_default_schedule_begins_with_seconds_and_ends_with_a_day() -> None:
    """5 s, 30 s, 2 min, 10 min, 30 min, 1 h, 3 h ... 24 h, over three days."""
    settings = load_settings()

    assert settings.notify_retry_seconds[:7] == (5, 30, 120, 600, 1800, 3600, 10_800)
    assert settings.notify_retry_seconds[-1] == 86_400
    assert list(settings.notify_retry_seconds) == sorted(settings.notify_retry_seconds)
    assert settings.notify_lifetime_seconds == 3 * 86_400


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        (" 120 ", 120),
        ("0", 0),
        ("Sat, 28 Nov 2026 12:01:00 GMT", 60),
        ("Sat, 28 Nov 2026 13:01:00 +0100", 60),
        ("Sat, 28 Nov 2026 12:01:00", 60),
        ("Sat, 28 Nov 2026 11:00:00 GMT", 0),
        ("999999999999999999999", LONGEST_RETRY_AFTER_SECONDS),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_RETRY_AFTER_SECONDS),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("²", None),
        ("Sat, 99 Nov 2026 12:00:00 GMT", None),
        ("Wed, 21 Oct 2015 07:28:00 +9999999999999", None),
        (None, None),
    ],
    ids=repr,
)
def test_retry_after_is_seconds_or_a_date_and_a_day_at_most(text: str | None, seconds: float | None) -> None:
    """An unreadable header is ignored."""
    assert retry_after_seconds(text, NOW) == seconds


@given(st.one_of(st.text(max_size=100), st.from_regex(r"\A[A-Z][a-z]{2}, \d+ Oct \d+ [\d:]+ [+-]\d+\Z")))
def test_no_header_of_a_receiver_ends_a_worker(text: str) -> None:
    """Any text is a pause of at most a day, or unreadable."""
    seconds = retry_after_seconds(text, NOW)

    assert seconds is None or 0 <= seconds <= LONGEST_RETRY_AFTER_SECONDS


@pytest.mark.parametrize("status", [429, 503, 500, 302])
def test_a_receiver_may_ask_for_more_time_and_not_for_less(status: int) -> None:
    """The schedule's own pause is the minimum."""
    assert again(judged(status, "3600")).pause_seconds == 3600
    assert again(judged(status, "0")).pause_seconds == again(judged(status)).pause_seconds > 0


def test_the_last_try_is_at_the_end_of_a_deliverys_life() -> None:
    """A pause beyond it is shortened; after it the delivery is given up."""
    long = Retry(600, is_targets=False)

    assert within_life(long, age_seconds=10, life_seconds=1000) == long
    assert within_life(long, age_seconds=900, life_seconds=1000) == Retry(100, is_targets=False)
    assert within_life(long, age_seconds=1000, life_seconds=1000) == GiveUp("gave_up")
    assert within_life(long, age_seconds=5000, life_seconds=1000) == GiveUp("gave_up")


def test_the_age_of_a_delivery_matters_for_retries_only() -> None:
    """A success at the last moment is a success."""
    gone = GiveUp("gone", endpoint_is_gone=True)

    assert within_life(Delivered(), age_seconds=5000, life_seconds=1000) == Delivered()
    assert within_life(gone, age_seconds=5000, life_seconds=1000) == gone
