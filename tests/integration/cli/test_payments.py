"""`payments pay`, `follow`, `cancel`, `list`: nothing is charged twice, nothing unknown is called failed."""

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any, Final

import httpx
import pytest
from databases import Store
from eventually import eventually
from payments import lose, rows
from running.api_alone import on_sqlite
from running.command import Command, on_machine, over_http
from running.served_api import ServedApi, served_api
from wire.lossy_http import Loses, LossyTransport

from cli.payments import following, paying
from shared.payment.states import Event
from shared.security.credentials import CredentialKind

#: More than the command sends.
_LOSSES: Final[list[Loses]] = ["answer", "request"] * 10
SALE: Final = ("payments", "pay", "ORDER_1", "1250", "--terminal", "127.0.0.9:8888")
CREDIT: Final = ("payments", "pay", "ORDER_1", "500", *SALE[4:], "--operation", "credit")


@pytest.fixture
def served(store: Store) -> Iterator[ServedApi]:
    with served_api(store) as one:
        yield one


@pytest.fixture(autouse=True)
def prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the pauses of failed requests short."""
    monkeypatch.setattr(paying, "_PAUSES_SECONDS", (0.01, 0.01, 0.01))
    monkeypatch.setattr(following, "_PAUSES_SECONDS", (0.01,))


@pytest.fixture
def pos(served: ServedApi) -> Command:
    """Return the command line with the credential of a new merchant."""

    async def merchant() -> str:
        return str((await served.api.merchant()).merchant_id)

    return over_http(served, CredentialKind.PRIVATE, served.run(merchant()))


def played(served: ServedApi, event: Event | None, *, passes: int = 0) -> "Future[None]":
    """Play the worker for the next order, after those that it passes: settle it, or lose its answer."""
    published = served.api.postbox.published
    before = len(published) + passes

    async def play() -> None:
        await eventually(lambda: len(published) > before)
        claimed = await served.api.claim(published[before])
        await (lose(served.api.database, claimed) if event is None else served.api.settle(claimed, event))

    return asyncio.run_coroutine_threadsafe(play(), served.loop)


def loses(monkeypatch: pytest.MonkeyPatch, *fates: Loses) -> None:
    """Give the first requests of the command these fates."""
    left = list(fates)

    def transport(**options: Any) -> httpx.AsyncBaseTransport:
        return LossyTransport(httpx.AsyncHTTPTransport(**options), left)

    monkeypatch.setattr("httpx._client.AsyncHTTPTransport", transport)


def payment_rows(served: ServedApi) -> list[str]:
    found = served.run(rows(served.api.database, "SELECT id FROM payments"))
    return [row.id for row in found]


@pytest.mark.parametrize(
    "fates",
    [
        ["nothing", "answer", "request", "answer", "nothing"],
        ["nothing", "request", "nothing", "answer"],
        ["nothing", "nothing", "answer", "request"],
    ],
)
@on_sqlite
def test_lost_requests_and_answers_of_pay_cost_no_second_payment(
    served: ServedApi, pos: Command, monkeypatch: pytest.MonkeyPatch, fates: list[Loses]
) -> None:
    """The first request looks for earlier attempts, the second one is the order."""
    worker = played(served, Event.ANSWERED_DONE)
    loses(monkeypatch, *fates)

    paid = pos.row(*SALE)

    worker.result(timeout=60)
    assert paid["outcome"] == "succeeded"
    assert payment_rows(served) == [paid["payment"]["id"]]


def done(served: ServedApi, pos: Command, *words: str) -> dict[str, Any]:
    """Pay, reverse or credit; a worker does it."""
    worker = played(served, Event.ANSWERED_DONE)
    payment: dict[str, Any] = pos.row(*words)["payment"]
    worker.result(timeout=60)
    return payment


def test_money_is_given_back_once_and_again_only_by_a_new_key(served: ServedApi, pos: Command) -> None:
    """The same credit typed again would be a second one: it is refused, the earlier key joins it."""
    done(served, pos, *SALE)

    given = done(served, pos, *CREDIT, "--key", "refund-1")
    again = pos.run(*CREDIT, code=5)
    joined = pos.run(*CREDIT, "--key", "refund-1")
    second = done(served, pos, *CREDIT, "--key", "refund-2")
    too_much = pos.run(*CREDIT, "--key", "refund-3", code=5)

    assert (given["operation"], given["amount"], given["state"]) == ("credit", 500, "succeeded")
    assert given["id"] in again.stderr
    assert "--key" in again.stderr
    assert "no second one was begun" in joined.stderr
    assert given["id"] in joined.stdout
    assert second["id"] != given["id"]
    assert "exceed" in too_much.stderr
    assert len(payment_rows(served)) == 3


@on_sqlite
def test_a_charge_is_reversed_once(served: ServedApi, pos: Command) -> None:
    """Its terminal gets no second reversal, and a failed one may be typed again."""
    reversal = (*SALE, "--operation", "reversal")
    done(served, pos, *SALE)
    worker = played(served, Event.ANSWERED_REFUSED)
    refused = pos.run(*reversal, code=7)
    worker.result(timeout=60)

    reversed_ = done(served, pos, *reversal)
    again = pos.run(*reversal, code=5)

    assert "refused" in refused.stdout
    assert (reversed_["operation"], reversed_["state"]) == ("reversal", "succeeded")
    assert reversed_["id"] in again.stderr
    assert len(payment_rows(served)) == 3


@pytest.mark.parametrize(
    "fates",
    [["nothing", "answer", "request", "answer", "nothing"], ["nothing", "answer", "nothing", "answer"]],
)
@on_sqlite
def test_lost_requests_and_answers_of_a_credit_cost_no_second_one(
    served: ServedApi, pos: Command, monkeypatch: pytest.MonkeyPatch, fates: list[Loses]
) -> None:
    """The key finds it."""
    charged = done(served, pos, *SALE)
    worker = played(served, Event.ANSWERED_DONE)
    loses(monkeypatch, *fates)

    given = pos.row(*CREDIT)

    worker.result(timeout=60)
    assert given["outcome"] == "succeeded"
    assert sorted(payment_rows(served)) == sorted([charged["id"], given["payment"]["id"]])


@on_sqlite
def test_an_equal_credit_of_somebody_else_is_not_taken_for_the_own_one(
    served: ServedApi, pos: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It came while the own request was lost; the own one is sent again."""
    done(served, pos, *SALE)
    others: list[str] = []

    class SwallowsTheFirst(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.method != "POST" or others:
                return await super().handle_async_request(request)
            request.headers["Idempotency-Key"] = "somebody-else"
            response = await super().handle_async_request(request)
            others.append((json.loads(await response.aread()))["payment"]["id"])
            raise httpx.ReadTimeout("the network swallowed it")

    monkeypatch.setattr("httpx._client.AsyncHTTPTransport", SwallowsTheFirst)
    worker = played(served, Event.ANSWERED_DONE, passes=1)

    given = pos.row(*CREDIT)

    worker.result(timeout=60)
    assert given["outcome"] == "succeeded"
    assert given["payment"]["id"] not in others
    assert len(payment_rows(served)) == 3


@on_sqlite
def test_a_failure_whose_answer_was_lost_asks_the_customer_for_no_second_card(
    served: ServedApi, pos: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order was refused before the command looks for it: another sending would be another sale."""
    worker = played(served, Event.ANSWERED_REFUSED)

    class LosesTheRefused(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            response = await super().handle_async_request(request)
            if request.method == "POST":
                await response.aread()
                await asyncio.wrap_future(worker)
                raise httpx.ReadError("the connection was reset")
            return response

    monkeypatch.setattr("httpx._client.AsyncHTTPTransport", LosesTheRefused)

    (failed,) = pos.rows(*SALE, code=7)

    assert payment_rows(served) == [failed["payment"]["id"]]


@on_sqlite
def test_pay_says_its_key_before_anything_is_sent_and_what_failed(served: ServedApi, pos: Command) -> None:
    """A refusal of the terminal is exit code 7: no money can move."""
    worker = played(served, Event.ANSWERED_REFUSED)

    ran = pos.run(*SALE, "--key", "till-1-42", code=7)

    worker.result(timeout=60)
    assert ran.stderr.index("--key till-1-42") < ran.stderr.index("queued")
    assert "refused" in ran.stdout
    assert "error" in ran.stdout
    assert "Unknown" not in ran.output
    (row,) = served.run(rows(served.api.database, "SELECT key FROM idempotency_keys"))
    assert row.key == "till-1-42"


@on_sqlite
def test_a_doubt_has_an_exit_code_of_its_own_and_the_same_order_joins_it(
    served: ServedApi, pos: Command
) -> None:
    """Never 'failed': the card may have been charged; `follow` waits on until it is decided."""
    worker = played(served, None)

    first = pos.rows(*SALE, "--wait", "1", code=8)
    worker.result(timeout=60)
    again = pos.rows(*SALE, "--wait", "0", code=8)

    (payment_id,) = payment_rows(served)
    assert [shown["payment"]["id"] for shown in (*first, *again)] == [payment_id, payment_id]
    followed = pos.run("payments", "follow", payment_id, "--wait", "0", code=8)
    assert "the money may have moved" in followed.stderr
    assert "in_doubt" in followed.stdout
    served.run(served.api.age(1000))
    operator = over_http(served, CredentialKind.OPERATOR)
    why = ("--name", "Jane Doe", "--reason", "receipt 0042")
    operator.run("payments", "resolve", payment_id, "charged", *why)
    assert pos.row("payments", "follow", payment_id)["outcome"] == "succeeded"


@on_sqlite
def test_an_answer_that_never_comes_is_unknown(
    served: ServedApi, pos: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network loses every answer; the command says how to join what may run."""
    loses(monkeypatch, "nothing", *_LOSSES)

    ran = pos.run(*SALE, code=8)

    assert "may have been accepted" in ran.stderr
    assert ran.stderr.count("--key") == 2
    assert len(payment_rows(served)) == 1


@on_sqlite
def test_pay_is_refused_where_nothing_was_accepted(served: ServedApi, pos: Command, store: Store) -> None:
    """An unknown terminal, no API there, no broker on the machine."""
    unknown = pos.run("payments", "pay", "ORDER_1", "1250", "--terminal", "till-9", code=2)
    nowhere = Command({**pos.environ, "CT_URL": "http://127.0.0.1:1"})

    assert "Unknown" not in unknown.stderr
    assert "cannot be reached" in nowhere.run(*SALE, code=1).stderr
    assert "HOST:PORT" in pos.run(*SALE[:-1], "127.0.0.9:x", code=2).stderr
    assert "no broker" in on_machine(store).run(*SALE, "--as-merchant", "mer_1", code=2).stderr
    assert payment_rows(served) == []


def test_a_queued_payment_is_cancelled_and_listed(served: ServedApi, store: Store) -> None:
    """With its merchant's credential; one that ended is a conflict. An id is whole at 80 columns."""

    async def queued() -> tuple[str, str]:
        pos = await served.api.merchant()
        return str(pos.merchant_id), await pos.order_async(order_id="ORDER_7")

    merchant_id, payment_id = served.run(queued())
    pos = over_http(served, CredentialKind.PRIVATE, merchant_id)
    operator, here = over_http(served, CredentialKind.OPERATOR), on_machine(store)

    cancelled = pos.row("payments", "cancel", payment_id)
    assert cancelled["payment"]["state"] == "cancelled"
    assert here.row("payments", "cancel", payment_id, "--as-merchant", merchant_id) == cancelled
    assert "unknown.resource" in pos.run("payments", "follow", "pay_none", code=3).stderr
    assert pos.rows("payments", "follow", payment_id, code=7)[0]["outcome"] == "failed"
    (listed,) = operator.rows("payments", "list", "--order", "ORDER_7", "--state", "cancelled")
    assert listed["payment"]["id"] == payment_id
    table = here.run("payments", "list").stdout
    assert payment_id in table
    assert all(len(line) <= 80 for line in table.splitlines())
    assert operator.run("payments", "list", "--order", "ORDER_8").stdout == "There is none.\n"
