"""Doubts in virtual time, by the product's own code: times of enquiries and their consequences."""

import asyncio
from collections.abc import Iterator

import pytest

from sandbox.terminal.script.behaviour import Behaviour, Customer, Fault
from shared.concert.fields import Action
from tests.simulation.engine.limits import SETTINGS
from tests.simulation.model.terminal import Kind
from tests.simulation.placed.placed_history import Customers, begin, ids, pays, state, until, worker_of
from tests.simulation.running import Player
from tests.simulation.world import World

MARGIN_SECONDS = SETTINGS.takeover_free_after_seconds
WINDOW_SECONDS = SETTINGS.doubt_window_seconds


@pytest.fixture(scope="module")
def player() -> Iterator[Player]:
    made = Player()
    yield made
    made.close()


def asked_at(world: World, since: float) -> list[int]:
    """Return when enquiries were written, seconds after this time."""
    return [round(note.at - since) for note in world.ledger.written if note.action == Action.DUPLICATE]


async def _worker_dies(world: World, kind: Kind) -> "asyncio.Task[None]":
    """Kill the worker when the terminal has the request; another one lives."""
    begin(world, workers=2, kind=kind)
    await asyncio.sleep(1)
    customer = pays(world, "ORDER_1")
    await until(lambda: world.ledger.written)
    worker_of(world, 0).process.kill()
    await until(lambda: state(world, 0) == "in_doubt")
    return customer


def test_after_a_takeover_the_terminal_is_asked_from_the_margin_on(player: Player) -> None:
    """It proves nothing here: it is asked at 20, 35 and 60 s, and four times from the window's end on."""
    times: list[list[int]] = []

    async def script(world: World) -> Customers:
        customer = await _worker_dies(world, Kind(enquiry="refuses"))
        taken_at = world.stage.now
        await until(world.store.is_settled)
        times.append(asked_at(world, taken_at))
        return [customer]

    assert player.play(1, script=script).verdict.violations == []

    after_window = [WINDOW_SECONDS + seconds for seconds in (0, 8, 20, 32)]
    assert times == [[MARGIN_SECONDS, 35, 60, *after_window]]


def test_a_proof_after_a_takeover_settles_the_payment_and_frees_the_terminal(player: Player) -> None:
    """At the end of the margin, minutes before the lease ends, and not before."""
    released_at: list[float] = []

    async def script(world: World) -> Customers:
        customer = await _worker_dies(world, Kind())
        taken_at = world.stage.now
        await until(world.store.is_settled)
        released_at.append(world.stage.now - taken_at)
        assert state(world, 0) == "succeeded"
        again = pays(world, "ORDER_2")
        await until(lambda: state(world, 1) == "succeeded")
        return [customer, again]

    assert player.play(1, script=script).verdict.violations == []

    assert MARGIN_SECONDS - 1 < released_at[0] < MARGIN_SECONDS + 10


def test_a_silent_terminal_is_asked_four_times_after_the_doubt_window(player: Player) -> None:
    """Counted from the claim; the session may live until then."""
    times: list[list[int]] = []

    async def script(world: World) -> Customers:
        terminal = begin(world, workers=1, kind=Kind(enquiry="refuses"))
        terminal.behaviours.appendleft(Behaviour(fault=Fault.SILENT))
        await asyncio.sleep(1)
        customer = pays(world, "ORDER_1")
        await until(lambda: ids(world) and state(world, 0) == "in_session")
        claimed_at = world.stage.now
        await until(lambda: state(world, 0) == "in_doubt")
        await until(world.store.is_settled)
        times.append(asked_at(world, claimed_at))
        return [customer]

    assert player.play(1, script=script).verdict.violations == []

    assert times == [[WINDOW_SECONDS + seconds for seconds in (0, 8, 20, 32)]]


def _line(world: World) -> tuple[object, object]:
    """Return whether the only terminal answers identifications, and whether it is asked first."""
    ((identifies, first),) = world.store.rows("SELECT identifies, identify_first FROM terminal_locks")
    return identifies, first


def _says_nothing_to(world: World, action: str) -> bool:
    return all(note.action != action for note in world.ledger.written)


def test_only_a_success_is_followed_by_the_identification_that_may_excuse_a_terminal(player: Player) -> None:
    """Silent after a refusal it is not asked yet; silent after a success it is excused."""

    async def script(world: World) -> Customers:
        terminal = begin(world, workers=1, kind=Kind(identifies=False))
        terminal.behaviours.appendleft(Behaviour(customer=Customer.REFUSE))
        await asyncio.sleep(1)
        refused = pays(world, "ORDER_1")
        await until(lambda: state(world, 0) == "refused" and world.store.is_settled())
        assert _says_nothing_to(world, Action.IDENTIFICATION)
        assert _line(world) == (None, 0)
        paid = pays(world, "ORDER_2")
        await until(lambda: state(world, 1) == "succeeded" and world.store.is_settled())
        assert _line(world) == (0, 0)
        return [refused, paid]

    assert player.play(1, script=script).verdict.violations == []


def test_an_answered_enquiry_ends_what_excused_a_terminal(player: Player) -> None:
    """It does answer: from now on it may be asked to identify itself."""

    async def script(world: World) -> Customers:
        terminal = begin(world, workers=1, kind=Kind(identifies=False))
        await asyncio.sleep(1)
        paid = pays(world, "ORDER_1")
        await until(lambda: state(world, 0) == "succeeded" and world.store.is_settled())
        assert _line(world) == (0, 0)
        terminal.wire_faults.append("connection lost at once")
        lost = pays(world, "ORDER_2")
        await until(lambda: state(world, 1) == "succeeded" and world.store.is_settled())
        assert _line(world) == (1, 0)
        return [paid, lost]

    assert player.play(1, script=script).verdict.violations == []


@pytest.mark.parametrize("answers", [True, False])
def test_a_terminal_taken_over_in_doubt_is_marked_unless_it_answered(player: Player, answers: bool) -> None:
    """Marked before or not: what the dead worker knew is not known any more."""

    async def script(world: World) -> Customers:
        customer = await _worker_dies(world, Kind(enquiry="refuses", backlog=True))
        if not answers:
            world.around.terminals["127.0.0.2:8888"].freeze(300)
        await until(world.store.is_settled)
        assert _line(world)[1] == (0 if answers else 1)
        return [customer]

    assert player.play(1, script=script).verdict.violations == []
