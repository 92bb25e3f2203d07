"""Flows of the sandbox through the public API, as HiPay and the merchant see them."""

import asyncio
import json
import re
import subprocess
from functools import partial
from html import unescape

import httpx
from running.whole_sandbox import Json, WholeSandbox, soon

from sandbox.run.cloud_api import CloudApi

ABOVE_FLOOR_LIMIT = 4200
BELOW_FLOOR_LIMIT = 1200
#: The gateway's pushes are lost until the test scripts something else; the next retry then delivers them.
ALL_LOST = {"drop_first": 10_000}


def test_with_authorisation_a_payment_is_authorised_and_then_captured(sandbox: WholeSandbox) -> None:
    """Thirteen steps and the collection, and the merchant's notifications of both."""
    order = sandbox.new_order_id()

    payment = sandbox.paid(ABOVE_FLOOR_LIMIT, order, custom_data={"till": "3"})
    soon(lambda: sandbox.statuses(order) == [116])
    collection = sandbox.collect()

    soon(lambda: sandbox.notified(order) == ["116", "118"])
    (captured,) = sandbox.transactions(order)
    assert captured["payment_id"] == payment["id"]
    assert captured["matched_by"] == "reference"
    assert (captured["authorised_cents"], captured["captured_cents"]) == (ABOVE_FLOOR_LIMIT,) * 2
    assert collection["acknowledged"]
    assert [one["status"] for one in captured["history"]] == [116, 118]
    assert soon(lambda: sandbox.webhooks(payment["id"])) == ["payment.succeeded"]
    flow = sandbox.get("flow", f"/payments/{payment['id']}")
    assert flow["flow"] == "with_authorisation"


def test_without_authorisation_nothing_is_at_hipay_until_the_collection_creates_it(
    sandbox: WholeSandbox,
) -> None:
    """Seven steps: the order notification alone makes no transaction."""
    order = sandbox.new_order_id()

    payment = sandbox.paid(BELOW_FLOOR_LIMIT, order)
    soon(lambda: payment["id"] in [one["payment_id"] for one in sandbox.get("console", "/waiting")["orders"]])
    before = sandbox.transactions(order)
    sandbox.collect()

    assert before == []
    soon(lambda: sandbox.notified(order) == ["118"])
    (captured,) = sandbox.transactions(order)
    assert captured["captured_cents"] == BELOW_FLOOR_LIMIT
    assert sandbox.get("flow", f"/payments/{payment['id']}")["flow"] == "without_authorisation"


def test_force_authorization_asks_below_the_floor_limit(sandbox: WholeSandbox) -> None:
    """The order's field reaches the terminal's gateway."""
    order = sandbox.new_order_id()

    sandbox.paid(BELOW_FLOOR_LIMIT, order, force_authorization=True)

    soon(lambda: sandbox.statuses(order) == [116])


def test_authorised_only_after_order_and_push_the_order_first(sandbox: WholeSandbox) -> None:
    """While the gateway's push is on its way there is no transaction."""
    order = sandbox.new_order_id()
    sandbox.post("preludd", "/script", ALL_LOST)

    payment = sandbox.paid(ABOVE_FLOOR_LIMIT, order)
    soon(lambda: payment["id"] in [one["payment_id"] for one in sandbox.get("console", "/waiting")["orders"]])
    before = sandbox.transactions(order)
    sandbox.post("preludd", "/script", {})

    assert before == []
    soon(lambda: sandbox.statuses(order) == [116])


def test_authorised_only_after_order_and_push_the_push_first(sandbox: WholeSandbox) -> None:
    """The gateway's push waits for an order notification that is late."""
    order = sandbox.new_order_id()

    with sandbox.held_back("notifier-worker"):
        payment = sandbox.paid(ABOVE_FLOOR_LIMIT, order)
        # An earlier test's push may arrive after its systems were reset.
        soon(
            lambda: (
                payment["id"] in [one["reference"] for one in sandbox.get("console", "/waiting")["pushes"]]
            )
        )
        before = sandbox.transactions(order)

    assert before == []
    soon(lambda: sandbox.statuses(order) == [116])


def test_a_reversal_before_the_collection_leaves_nothing_to_collect(sandbox: WholeSandbox) -> None:
    """The authorised debit is cancelled at HiPay, and the batch does not hold it."""
    order, other = sandbox.new_order_id(), sandbox.new_order_id()

    sandbox.paid(ABOVE_FLOOR_LIMIT, order)
    soon(lambda: sandbox.statuses(order) == [116])
    sandbox.paid(ABOVE_FLOOR_LIMIT, order, "Cancel")
    soon(lambda: sandbox.statuses(order) == [115])
    sandbox.paid(BELOW_FLOOR_LIMIT, other)
    collection = sandbox.collect()

    assert (collection["count"], collection["sum_cents"]) == (1, BELOW_FLOOR_LIMIT)
    soon(lambda: sandbox.statuses(other) == [118])
    assert sandbox.get("acquirer", "/collections")["sum_cents"] == BELOW_FLOOR_LIMIT
    assert sandbox.statuses(order) == [115]


def test_a_credit_appears_at_hipay(sandbox: WholeSandbox) -> None:
    """A part of a captured debit is paid back: collected, it is a partial refund of the same transaction."""
    order = sandbox.new_order_id()

    sandbox.paid(ABOVE_FLOOR_LIMIT, order)
    sandbox.collect()
    soon(lambda: sandbox.statuses(order) == [118])
    sandbox.paid(1000, order, "Credit")
    sandbox.collect()

    soon(lambda: sandbox.statuses(order) == [126])
    (refunded,) = sandbox.transactions(order)
    assert refunded["refunded_cents"] == 1000
    assert sandbox.get("acquirer", "/collections")["sum_cents"] == ABOVE_FLOOR_LIMIT - 1000
    soon(lambda: sandbox.notified(order) == ["116", "118", "126"])


def test_a_refused_payment_is_notified_and_never_collected(sandbox: WholeSandbox) -> None:
    """The bank's reason reaches the client's answer and HiPay."""
    refused, abandoned = sandbox.new_order_id(), sandbox.new_order_id()

    answer = sandbox.pay(4251, refused).json()
    given_up = sandbox.pay(4222, abandoned).json()
    soon(lambda: sandbox.statuses(refused) == [113])
    collection = sandbox.collect()

    assert answer["paymentStatus"] == given_up["paymentStatus"] == "Failed"
    assert (answer["payment"]["state"], given_up["payment"]["state"]) == ("refused", "aborted")
    assert answer["payment"]["safe_to_retry"]
    assert given_up["payment"]["safe_to_retry"]
    assert collection["count"] == 0
    assert sandbox.transactions(abandoned) == []
    assert sandbox.statuses(refused) == [113]
    soon(lambda: sandbox.notified(refused) == ["113"])
    assert soon(lambda: sandbox.webhooks(answer["payment"]["id"])) == ["payment.refused"]


def test_the_gateways_evidence_settles_a_doubt(sandbox: WholeSandbox) -> None:
    """The card is charged, the answer is lost, the terminal refuses enquiries: Preludd's report decides."""
    order = sandbox.new_order_id()
    sandbox.post("screen", "/script", {"next": [{"outcome": "lost_answer", "enquiry": "refuses"}]})
    sandbox.post("preludd", "/script", ALL_LOST)

    answer = sandbox.pay(ABOVE_FLOOR_LIMIT, order)
    said = answer.json()["payment"]
    sandbox.post("preludd", "/script", {})
    soon(lambda: sandbox.payment(said["id"])["state"] != "in_doubt")
    settled = sandbox.payment(said["id"])

    assert (answer.status_code, said["state"], said["safe_to_retry"]) == (504, "in_doubt", False)
    assert (settled["state"], settled["resolved_by"]) == ("succeeded", "gateway")
    soon(lambda: sandbox.webhooks(said["id"]) == ["payment.in_doubt", "payment.resolved"])
    again = sandbox.paid(ABOVE_FLOOR_LIMIT, order)
    assert again["id"] == said["id"]
    assert again["replayed"]


def test_a_pulled_plug_joins_the_running_payment(sandbox: WholeSandbox) -> None:
    """The cash register loses its network while the customer pays; its retry gets that payment."""
    sandbox.post("screen", "/settings", {"by_hand": True})
    sale = sandbox.sell("GATEAU")
    soon(lambda: sandbox.get("screen", "/state")["takes_card"])

    sandbox.press("/unplug")
    cut_off = sandbox.sale(sale)
    sandbox.press(f"/sales/{sale}/again")
    unsent = sandbox.sale(sale)
    sandbox.press("/plug")
    sandbox.press(f"/sales/{sale}/again")
    soon(lambda: len(sandbox.sale(sale)["sent_orders"]) == 3)
    sandbox.post("screen", "/card", {"card": "cb", "mode": "contact"})
    sandbox.post("screen", "/key", {"key": "1234"})
    sandbox.post("screen", "/key", {"key": "green"})

    soon(lambda: sandbox.sale(sale)["standing"] == "paid")
    assert cut_off["standing"] == unsent["standing"] == "not known"
    assert [sent_order["status"] for sent_order in sandbox.sale(sale)["sent_orders"]] == [None, None, 200]
    assert len(sandbox.get("screen", "/journal")) == 1


def test_the_cash_register_cancels_a_payment_that_still_waits(sandbox: WholeSandbox) -> None:
    """Two cash registers want one terminal: the second sale says which order has it, and is cancelled."""
    sandbox.post("screen", "/settings", {"by_hand": True})
    first = sandbox.sell("GATEAU")
    soon(lambda: sandbox.get("screen", "/state")["takes_card"])
    second = sandbox.sell("BAGUETTE")
    soon(lambda: sandbox.sale(second)["payment"].get("state") == "queued")

    soon(lambda: f"order <strong>{sandbox.sale(first)['order_id']}</strong> holds" in sandbox.page(second))
    assert "This sale expires at" in sandbox.page(second)
    sandbox.press(f"/sales/{second}/cancel")

    soon(lambda: sandbox.sale(second)["standing"] == "not paid")
    assert sandbox.sale(second)["payment"]["state"] == "cancelled"
    sandbox.post("screen", "/key", {"key": "red"})
    soon(lambda: sandbox.get("register", "/records")[0]["standing"] == "not paid")


def test_two_terminals_take_payments_at_the_same_time(sandbox: WholeSandbox) -> None:
    """Each has a screen, a journal and a serial number of its own."""
    screens = {"screen": "counter-1", "screen_2": "counter-2"}
    for screen, terminal_id in screens.items():
        sandbox.post(screen, "/reset")
        sandbox.post(screen, "/settings", {"by_hand": True})
        sandbox.sell("GATEAU", terminal_id=terminal_id)

    states = [soon(partial(_asking, sandbox, screen)) for screen in screens]
    for screen in screens:
        sandbox.post(screen, "/card", {"card": "cb", "mode": "contactless"})

    soon(lambda: [one["standing"] for one in sandbox.get("register", "/records")] == ["paid"] * 2)
    assert [len(sandbox.get(screen, "/journal")) for screen in screens] == [1, 1]
    assert len({state["serial"] for state in states}) == 2


def _asking(sandbox: WholeSandbox, screen: str) -> Json | None:
    state: Json = sandbox.get(screen, "/state")
    return state if state["takes_card"] else None


def test_each_request_of_the_register_can_be_sent_by_curl(sandbox: WholeSandbox) -> None:
    """The command line that the sale's page shows gets the same answer."""
    number = sandbox.sell("TARTE")
    soon(lambda: sandbox.sale(number)["standing"] == "paid")
    sandbox.press(f"/sales/{number}/look")

    commands = re.findall(r'id="curl-\d+">(.*?)</pre>', sandbox.page(number), re.DOTALL)
    answers = [_run(unescape(command)) for command in commands]

    assert [answer["payment"]["id"] for answer in answers] == [sandbox.sale(number)["payment"]["id"]] * 2
    assert answers[-1]["payment"]["replayed"]
    assert len(sandbox.get("screen", "/journal")) == 1


def _run(command: str) -> Json:
    done = subprocess.run(["sh", "-c", command], capture_output=True, check=True, timeout=60)
    answer: Json = json.loads(done.stdout)
    return answer


def test_a_start_with_fewer_terminals_removes_its_own_and_no_others(sandbox: WholeSandbox) -> None:
    """Those of an earlier start listen nowhere any more."""
    terminals = f"{sandbox.entry['api']}/v1/terminals"
    credential = (sandbox.entry["username"], sandbox.entry["password"])

    async def start_again() -> set[str]:
        async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
            for name, label in (("counter-9", "Sandbox terminal"), ("mine", "My own")):
                body = {"host": "127.0.0.9", "port": 9 if name == "mine" else 10, "label": label}
                (await http.put(f"{terminals}/{name}", json=body, auth=credential)).raise_for_status()
            api = CloudApi(http, sandbox.entry["api"], *credential)
            await api.remove_terminals("Sandbox terminal", keep={"counter-1", "counter-2"})
            left = {one["id"] for one in await api.terminals()}
            await http.delete(f"{terminals}/mine", auth=credential)
            return left

    assert asyncio.run(start_again()) == {"counter-1", "counter-2", "mine"}


def test_a_new_start_at_the_same_address_signs_with_a_new_secret(sandbox: WholeSandbox) -> None:
    """Its endpoint is there from the start before, as in a container that is started again."""
    url = "http://127.0.0.1:9/started-twice"
    credential = (sandbox.entry["username"], sandbox.entry["password"])

    async def start_twice() -> set[str]:
        async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
            api = CloudApi(http, sandbox.entry["api"], *credential)
            return {await api.register_webhooks(url), await api.register_webhooks(url)}

    assert len(asyncio.run(start_twice())) == 2


def test_a_new_start_disables_the_endpoints_of_earlier_ones_and_no_others(sandbox: WholeSandbox) -> None:
    """With free ports each start has another address; an installation allows 50 endpoints."""
    own = f"{sandbox.entry['merchant']}/webhooks"
    earlier, foreign = "http://127.0.0.1:9/webhooks", "http://127.0.0.1:9/somebody"
    endpoints = f"{sandbox.entry['api']}/v1/webhooks/endpoints"
    credential = (sandbox.entry["username"], sandbox.entry["password"])

    async def start_again() -> dict[str, bool]:
        async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
            for url, description in ((earlier, "The sandbox's shop"), (foreign, "Somebody's")):
                body = {"url": url, "description": description}
                (await http.post(endpoints, json=body, auth=credential)).raise_for_status()
            await CloudApi(http, sandbox.entry["api"], *credential).disable_other_webhooks(own)
            listed = (await http.get(endpoints, params={"limit": 100}, auth=credential)).json()["endpoints"]
            # Other tests of the shared sandbox make endpoints, too.
            return {one["url"]: one["disabled"] for one in listed if one["url"] in (own, earlier, foreign)}

    assert asyncio.run(start_again()) == {own: False, earlier: True, foreign: False}
    assert sandbox.get("screen", "/readyz") == {"ready": True}
