"""Interventions of merchants (early release, probe), of operators (decision) and of the gateway (record)."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable

from api.http.errors import ApiError
from api.payments.early_release import ask_for_terminal, doubt_window
from shared.broker.errors import BrokerFailure
from shared.broker.messages import ProbeMessage
from shared.payment.gateway import GatewayRecord, interpret
from shared.payment.payment import Result
from shared.runtime.ids import new_probe_id
from shared.storage.administration.audit_trail import Actor
from shared.storage.db.engine import CommitUnknown, DatabaseUnavailable
from shared.storage.payments import gateway_records, operators, snapshots
from shared.storage.payments.operators import Decision
from shared.storage.terminals import probes
from tests.simulation.database.sqlite import Store
from tests.simulation.database.thin import is_refused
from tests.simulation.engine.limits import SETTINGS
from tests.simulation.engine.surroundings import MERCHANT_ID, Surroundings
from tests.simulation.model.processes.apis import Api
from tests.simulation.model.processes.process import SimulatedClock

_LOOK_SECONDS = 6.0


class Interventions:
    """Interventions on payments in doubt, through some API process; decisions are remembered."""

    def __init__(self, around: Surroundings, store: Store, apis: list[Api], rng: random.Random) -> None:
        self._around = around
        self._store = store
        self._apis = apis
        self._rng = rng
        self._clock = SimulatedClock(around.stage.loop, rng)
        self._said: dict[str, Decision] = {}
        self._asked_for: set[str | None] = set()
        around.ledger.on_charged = self._charged
        around.ledger.is_decided_wrongly = self._is_decided_wrongly
        around.ledger.is_asked_for_early = self._asked_for.__contains__

    def contradicted_by_facts(self, charged: set[str]) -> set[str]:
        """Return the payments with a decision that was wrong, or became so."""
        return {
            payment_id
            for payment_id, decision in self._said.items()
            if (decision is Decision.CHARGED) != (payment_id in charged)
        }

    def _is_decided_wrongly(self, payment_id: str | None) -> bool:
        # Decided as not charged while the terminal has it: its card may be charged a moment later.
        ledger = self._around.ledger
        charged = {charge.payment_id for charge in ledger.charges}
        return payment_id in self.contradicted_by_facts(charged | ledger.at_work())

    def _charged(self, payment_id: str) -> None:
        """Have the gateway report, maybe before the terminal's answer is there."""
        if self._rng.random() < self._around.stage.faults.gateway / 2:
            self._around.stage.later(self._rng.uniform(0.01, 8), self.report, payment_id)

    async def run(self) -> None:
        faults = self._around.stage.faults
        if not (faults.early_releases or faults.gateway or faults.operator):
            return
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            for payment_id, terminal_address in self._store.in_doubt():
                self._act(payment_id, terminal_address)

    def _act(self, payment_id: str, terminal_address: str) -> None:
        faults, rng = self._around.stage.faults, self._rng
        charged = any(charge.payment_id == payment_id for charge in self._around.ledger.charges)
        if rng.random() < faults.early_releases / 3:
            self.ask_for_terminal(payment_id)
        if rng.random() < faults.early_releases / 10:
            self.probe(terminal_address)
        if charged and rng.random() < faults.gateway / 4:
            self.report(payment_id, "completed" if rng.random() < 0.7 else "authorised")
        if payment_id not in self._said and rng.random() < faults.operator / 6:
            is_right = rng.random() < 0.8
            decision = Decision.CHARGED if charged == is_right else Decision.NOT_CHARGED
            self.decide(payment_id, decision)

    def _do(self, what: str, about: str, act: Callable[[Api], Awaitable[None]]) -> None:
        alive = [api for api in self._apis if not api.process.is_dead]
        if alive:
            api = self._rng.choice(alive)
            self._around.stage.faults.count(what)
            self._around.stage.note(what, about, at=api.process.name)
            api.process.spawn(self._try(api, about, act))

    async def _try(self, api: Api, about: str, act: Callable[[Api], Awaitable[None]]) -> None:
        try:
            await act(api)
        except (DatabaseUnavailable, CommitUnknown, BrokerFailure):
            self._around.stage.note("intervention failed", about)
        except Exception as error:
            if not is_refused(error):
                self._around.unexpected("intervention", error)

    async def _ask_for_terminal(self, api: Api, payment_id: str) -> None:
        try:
            await ask_for_terminal(api.database, SETTINGS, payment_id, by="merchant")
        except ApiError as error:
            self._around.stage.note("intervention refused", payment_id, error=error.code)

    async def _probe(self, api: Api, terminal_address: str) -> None:
        probe_id = new_probe_id(self._clock, self._rng.randbytes)
        await probes.create(
            api.database,
            probes.NewProbe(
                id=probe_id,
                merchant_id=MERCHANT_ID,
                terminal_id="term_1",
                terminal_address=terminal_address,
                protocol="ConcertV3.2",
                profile="{}",
                pos_number="01",
                deadline_seconds=20,
            ),
        )
        await api.publisher.publish_probe(ProbeMessage(probe_id, api.replies.name))

    def ask_for_terminal(self, payment_id: str) -> None:
        """Ask for the early release of this payment's terminal."""
        self._asked_for.add(payment_id)
        self._do("early release", payment_id, lambda api: self._ask_for_terminal(api, payment_id))

    def probe(self, terminal_address: str) -> None:
        """Probe the terminal for its merchant."""
        self._do("probe", terminal_address, lambda api: self._probe(api, terminal_address))

    def decide(self, payment_id: str, decision: Decision) -> None:
        """Decide the payment's outcome as an operator."""
        self._do("operator decided", payment_id, lambda api: self._decide(api, payment_id, decision))

    def report(self, payment_id: str, status: str = "completed") -> None:
        """Send the gateway's record of this payment."""
        self._do("gateway record", payment_id, lambda api: self._report(api, payment_id, status))

    def _paid_cents(self, payment_id: str) -> int | None:
        """Return the amount that the card was charged."""
        charges = self._around.ledger.charges
        return next((one.amount_cents for one in charges if one.payment_id == payment_id), None)

    async def _report(self, api: Api, payment_id: str, status: str) -> None:
        payment = await snapshots.payment(api.database, payment_id)
        assert payment is not None, "what is charged is stored"
        said = GatewayRecord(
            source="preludd",
            record_id=f"{payment_id}-{status}",
            carries_reference=True,
            status=status,
            amount_cents=self._paid_cents(payment_id) or payment.amount_cents,
            currency=payment.currency,
        )
        evidence, result = interpret(said, payment)
        record = gateway_records.Record(said.source, said.record_id, payment_id, json.dumps(said.to_json()))
        taken = await gateway_records.store(api.database, record, evidence, result, brought_by="ct_gateway")
        await api.reply_publisher.reply(payment_id, taken.payment.reply_to)

    async def _decide(self, api: Api, payment_id: str, decision: Decision) -> None:
        # A decision whose commit's answer was lost may be stored all the same.
        self._said.setdefault(payment_id, decision)
        decided = await operators.decide(
            api.database,
            payment_id,
            decision,
            actor=Actor("ct_jane", "jane", "the journal"),
            result=Result(paid_cents=self._paid_cents(payment_id) if decision is Decision.CHARGED else None),
            early_seconds=SETTINGS.early_release_after_seconds,
            doubt_window=doubt_window(SETTINGS),
        )
        if isinstance(decided, operators.Decided):
            await api.reply_publisher.reply(payment_id, decided.payment.reply_to)
        elif self._said.get(payment_id) is decision:
            del self._said[payment_id]
