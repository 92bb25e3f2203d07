"""Wait of `cloud-terminal webhooks test` for the first attempt."""

import time
from typing import Any, cast

import pytest

from cli.fleet import webhooks
from cli.remote.client import Api

ATTEMPT = {"status": 200}
NOT_SENT = {"state": "waiting", "is_being_sent": True, "attempts": []}
#: The attempt was stored between the two reads of one answer.
HALF_READ = {"state": "waiting", "is_being_sent": True, "attempts": [ATTEMPT]}
DELIVERED = {"state": "delivered", "is_being_sent": False, "attempts": [ATTEMPT]}
REFUSED = {"state": "waiting", "is_being_sent": False, "attempts": [{"status": 500}]}


class Answers:
    """A server that gives these answers, one after the other."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self._answers = iter(answers)

    def get(self, _path: str) -> dict[str, Any]:
        return next(self._answers)


@pytest.mark.parametrize("end", [DELIVERED, REFUSED])
def test_an_answer_from_the_middle_of_an_attempt_is_not_taken_for_its_end(
    end: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command would say that a delivered event was not delivered."""
    monkeypatch.setattr(webhooks, "_LOOK_AGAIN_SECONDS", 0)
    server = Answers(NOT_SENT, HALF_READ, end)

    assert webhooks._tried(cast(Api, server), "dlv_1", time.monotonic() + 60) is end


def test_the_wait_ends_at_its_deadline() -> None:
    assert webhooks._tried(cast(Api, Answers(NOT_SENT)), "dlv_1", time.monotonic()) is NOT_SENT
