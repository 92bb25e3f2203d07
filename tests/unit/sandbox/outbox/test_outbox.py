"""An outbox sends until a message is acknowledged, and applies scripted faults."""

from collections.abc import Iterable

from eventually import eventually

from sandbox.outbox.outbox import AttemptResult, Decision, Faults, Outbox
from shared.runtime.clock import SystemClock


class _Receiver:
    """Receiver that gives these answers, then acknowledges."""

    def __init__(self, *answers: Decision) -> None:
        self.came: list[str] = []
        self._answers = list(answers)

    async def take(self, content: str) -> AttemptResult:
        self.came.append(content)
        return AttemptResult(self._answers.pop(0) if self._answers else Decision.ACKNOWLEDGED)


def _outbox(receiver: _Receiver) -> Outbox[str]:
    return Outbox(receiver.take, SystemClock(), retry_seconds=(0.01,))


def _put(outbox: Outbox[str], contents: Iterable[str]) -> None:
    for content in contents:
        outbox.put(content)


async def test_a_message_is_sent_until_it_is_acknowledged() -> None:
    """Three refusals, then a success; each attempt is kept."""
    receiver = _Receiver(*[Decision.RETRY] * 3)
    async with _outbox(receiver) as outbox:
        message = outbox.put("a")
        await eventually(lambda: message.ended)

    assert message.ended is Decision.ACKNOWLEDGED
    assert receiver.came == ["a"] * 4
    assert [attempt.result.decision for attempt in message.attempts] == [
        *[Decision.RETRY] * 3,
        Decision.ACKNOWLEDGED,
    ]


async def test_a_given_up_message_is_sent_once() -> None:
    """A final answer ends it."""
    receiver = _Receiver(Decision.GIVE_UP)
    async with _outbox(receiver) as outbox:
        message = outbox.put("a")
        await eventually(lambda: message.ended)

    assert (message.ended, receiver.came) == (Decision.GIVE_UP, ["a"])


async def test_doubles_disorder_and_losses_are_applied() -> None:
    """Pairs change places, each comes twice, the first attempts are lost and retried."""
    receiver = _Receiver()
    async with _outbox(receiver) as outbox:
        outbox.script(Faults(reorder=True, hold_seconds=20))
        _put(outbox, "ab")
        await eventually(lambda: receiver.came == ["b", "a"])

        outbox.script(Faults(double=True))
        outbox.put("c")
        await eventually(lambda: receiver.came[2:] == ["c", "c"])

        outbox.script(Faults(drop_first=2))
        lost = outbox.put("d")
        await eventually(lambda: lost.ended)
        assert receiver.came[4:] == ["d"]
        assert len(lost.attempts) == 3
        assert outbox.faults.drop_first == 0


async def test_a_message_without_a_successor_is_sent_after_a_delay() -> None:
    """Disorder without a next message is a delay."""
    receiver = _Receiver()
    async with _outbox(receiver) as outbox:
        outbox.script(Faults(reorder=True, hold_seconds=0.05))
        outbox.put("a")
        await eventually(lambda: receiver.came == ["a"])


async def test_a_reset_cancels_running_messages() -> None:
    """No earlier message is sent any more."""
    receiver = _Receiver()
    async with _outbox(receiver) as outbox:
        outbox.script(Faults(delay_seconds=3600))
        outbox.put("a")
        await outbox.reset()
        outbox.put("b")
        await eventually(lambda: receiver.came == ["b"])
        assert [message.content for message in outbox.messages] == ["b"]
