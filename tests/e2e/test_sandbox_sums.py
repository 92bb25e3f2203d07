"""Random payments at the terminal, its gateway, the banks and HiPay, without the API between them."""

import asyncio
import random

from eventually import eventually
from running.sandbox_chain import order_notice, running_chain
from wire.concert import frame_for
from wire.concert_client import ask
from wire.shop_terminal import PROMPT

from sandbox.cards import DECK
from sandbox.terminal.gateway.link import HttpGateway
from sandbox.terminal.script.behaviour import Behaviour
from sandbox.terminal.server.server import VirtualTerminal
from shared.payment.payment import Operation

PAYMENTS = 300
#: Cards that their bank approves, whatever the amount.
GOOD_CARDS = [card.key for card in DECK[:4]]
REFUSED_CARD = "visa-refused"


async def test_collection_acquirer_and_console_agree_whatever_becomes_of_the_pushes() -> None:
    """Debits, refusals, reversals, credits; five collections; pushes doubled and disordered: to the cent."""
    rng = random.Random(20_261_128)
    cents, collected_sum, collected_count = 0, 0, 0
    async with running_chain() as chain:
        await chain.post("preludd", "/script", {"double": True, "reorder": True, "hold_seconds": 0.05})
        gateway = HttpGateway(chain.http, chain.urls["preludd"])
        async with VirtualTerminal("127.0.9.31", 0, device=PROMPT, gateway=gateway) as terminal:
            for number in range(1, PAYMENTS + 1):
                kind = rng.choices(("debit", "refused", "reversed", "credit"), (80, 8, 7, 5))[0]
                amount = rng.randrange(1, 4000)
                card = REFUSED_CARD if kind == "refused" else rng.choice(GOOD_CARDS)
                terminal.behaviour = Behaviour(card=card, contactless=rng.random() < 0.5)
                operation = Operation.CREDIT if kind == "credit" else Operation.DEBIT
                notice = order_notice(f"SUM-{number}", amount, operation.value)
                reference = notice["reference"]
                asked = frame_for(operation=operation, amount_cents=amount, reference=reference)
                answer, notified = await asyncio.gather(ask(terminal, asked), chain.notify_order(notice))
                assert notified.status_code == 200
                assert answer.fields["AE"] == ("01" if kind == "refused" else "10")
                if kind == "reversed":
                    back = order_notice(f"SUM-{number}", amount, "reversal")
                    undo = frame_for(
                        operation=Operation.REVERSAL, amount_cents=amount, reference=back["reference"]
                    )
                    answer = await ask(terminal, undo)
                    assert answer.fields["AE"] == "10"
                    await chain.notify_order(back)
                cents += {"debit": amount, "credit": -amount}.get(kind, 0)
                if number % (PAYMENTS // 5) == 0:
                    collection = await terminal.collect()
                    assert collection.acknowledged
                    collected_sum += collection.sum_cents
                    collected_count += collection.count

        acquirer = await chain.get("acquirer", "/collections")
        assert collected_sum == cents == acquirer["sum_cents"]
        assert collected_count == acquirer["count"]

        async def everything_arrived() -> bool:
            received = await chain.get("hipay", "/received")
            return bool([one["what"] for one in received].count("collection") == 2 * collected_count)

        await eventually(everything_arrived, within_seconds=120)
        totals = (await chain.get("hipay", "/transactions"))["totals"]
        console = totals["captured_cents"] - totals["refunded_cents"] - totals["credited_cents"]
        assert console == cents
        assert (await chain.get("hipay", "/waiting"))["pushes"] == []
