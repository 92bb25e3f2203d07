"""Any order of everything that can happen to payments, on both databases, against a small model.

The model knows the state after each step, the holder of each lock and the proofs. After each step the
database must have changed in just that, and the invariants of a payment's life must hold.
"""

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from databases import Store
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from payments import TERMS, change, new_payment, rows, try_claim
from stored.merchants import create_merchant

from shared.payment.evidence import Evidence, Source, conflicts_with
from shared.payment.payment import Operation, Payment, Reason, Result, Settlement
from shared.payment.states import BLOCKING_STATES, FINAL_STATES, TRANSITIONS, Event, State, apply
from shared.storage.administration.audit_trail import Actor
from shared.storage.db.engine import Database
from shared.storage.payments import claims, operators, settling
from shared.storage.payments.acceptance import accept
from shared.storage.payments.claims import Claimed, LockHeld, NotQueued
from shared.storage.payments.new_payment import Acceptance, Accepted, Attached, Conflict
from shared.storage.payments.operators import Decided, Decision, NotInDoubt
from shared.storage.terminals.locks import ObservedCapabilities

Found = TypeVar("Found")
#: Runs a coroutine of the storage's and returns what it returns.
Run = Callable[[Coroutine[Any, Any, Found]], Found]

_numbers = itertools.count(1)

DONE, REFUSED, ABORTED = Event.ANSWERED_DONE, Event.ANSWERED_REFUSED, Event.ANSWERED_ABORTED
PROVED = {DONE: Event.PROVED_DONE, REFUSED: Event.PROVED_REFUSED, ABORTED: Event.PROVED_ABORTED}


@dataclass
class Known:
    """One payment, as the model knows it."""

    id: str
    operation: Operation
    #: Names the operation among all attempts of the merchant; the database's own text.
    key: str
    debit_id: str | None
    amount: int
    terminal_address: str
    state: State
    claimed: Claimed | None = None
    proof: Event | None = None
    has_conflict: bool = False


class PaymentMachine(RuleBasedStateMachine):
    """One merchant, two order numbers, two terminals."""

    database: Database
    run: Run[Any]
    payments = Bundle("payments")

    @initialize()
    def begin(self) -> None:
        number = next(_numbers)
        self.merchant = f"merchant-{number}"
        self.addresses = [f"127.1.{number // 200}.{number % 200}:{port}" for port in (1, 2)]
        self.known: dict[str, Known] = {}
        self.holders: dict[str, str | None] = dict.fromkeys(self.addresses)
        self.run(create_merchant(self.database, self.merchant, "A bakery", []))

    @rule(
        target=payments,
        operation=st.sampled_from([Operation.DEBIT, Operation.DEBIT, Operation.REVERSAL, Operation.CREDIT]),
        order=st.sampled_from(["order-1", "order-2"]),
        amount=st.sampled_from([100, 100, 60]),
        terminal=st.sampled_from([0, 0, 1]),
        key=st.sampled_from([None, None, "key-1", "key-2"]),
    )
    def accept(self, operation: Operation, order: str, amount: int, terminal: int, key: str | None) -> Any:
        """Accept an order; a debit's result is known beforehand, the money rules are invariants."""
        address = self.addresses[terminal]
        acceptance: Acceptance = self.run(
            accept(
                self.database,
                new_payment(
                    merchant_id=self.merchant,
                    order_id=order,
                    operation=operation,
                    amount_cents=amount,
                    idempotency_key=key,
                    host=address,
                    terminal_address=address,
                ),
                TERMS,
            )
        )
        if operation is Operation.DEBIT and not self._is_key_used(acceptance):
            self._check_debit(acceptance, f"debit:{order}", amount, address)
        if not isinstance(acceptance, Accepted):
            return multiple()
        stored = self._stored()[acceptance.payment_id]
        self.known[stored.id] = Known(
            stored.id, operation, stored.operation_key, stored.debit_id, amount, address, State.QUEUED
        )
        return stored.id

    def _is_key_used(self, acceptance: Acceptance) -> bool:
        return isinstance(acceptance, Conflict) and acceptance.reason == "key_used"

    def _check_debit(self, acceptance: Acceptance, key: str, amount: int, address: str) -> None:
        attempts = [known for known in self.known.values() if known.key == key]
        blocking = [known for known in attempts if self._blocks(known)]
        if self._is_closed(key):
            assert isinstance(acceptance, Conflict)
            assert acceptance.reason == "key_closed"
        elif not blocking:
            assert isinstance(acceptance, Accepted)
        elif (blocking[0].amount, blocking[0].terminal_address) == (amount, address):
            assert isinstance(acceptance, Attached)
            assert acceptance.payment.id == blocking[0].id
        else:
            assert isinstance(acceptance, Conflict)
            assert acceptance.reason == "different"

    def _is_closed(self, key: str) -> bool:
        return any(key in self._locked_keys(known) for known in self.known.values())

    def _locked_keys(self, known: Known) -> set[str]:
        """Return the keys that its conflicting evidence locks: its own, and that of a reversal's debit."""
        if not known.has_conflict:
            return set()
        reversed_id = known.debit_id if known.operation is Operation.REVERSAL else None
        return {known.key} | ({self.known[reversed_id].key} if reversed_id else set())

    def _blocks(self, known: Known) -> bool:
        return known.state in BLOCKING_STATES and not self._is_reversed(known)

    def _is_reversed(self, debit: Known) -> bool:
        return any(
            known.debit_id == debit.id
            and known.operation is Operation.REVERSAL
            and known.state is State.SUCCEEDED
            for known in self.known.values()
        )

    @rule(payment_id=payments)
    def claim(self, payment_id: str) -> None:
        """Claim the payment, once or again."""
        known = self.known[payment_id]
        claim = self.run(try_claim(self.database, payment_id))
        if self.holders[known.terminal_address] is not None:
            assert isinstance(claim, LockHeld if known.state is State.QUEUED else NotQueued)
        elif known.state is State.QUEUED:
            assert isinstance(claim, Claimed)
            known.state, known.claimed = State.IN_SESSION, claim
            self.holders[known.terminal_address] = payment_id
        else:
            assert isinstance(claim, NotQueued)
            assert claim.state is known.state

    @rule(payment_id=payments, event=st.sampled_from([DONE, DONE, REFUSED, ABORTED, Event.NOT_SENT]))
    def settle(self, payment_id: str, event: Event) -> None:
        """Store the end of its session: in time, in doubt, or after its end."""
        known = self.known[payment_id]
        if known.claimed is None:
            return
        outcome = Settlement(event=event, reason=Reason.NOT_SENT if event is Event.NOT_SENT else None)
        payment = self.run(
            settling.settle(
                self.database, known.claimed.grant, known.claimed.payment, outcome, ObservedCapabilities()
            )
        )
        was_its_own = self.holders[known.terminal_address] == payment_id
        if was_its_own:
            self.holders[known.terminal_address] = None
        if known.state is State.IN_SESSION:
            self._end(known, event)
        elif event is Event.NOT_SENT:
            if known.state is State.IN_DOUBT:
                self._end(known, event)
            elif known.state is not State.UNREACHABLE:
                self._prove(known, event)
        elif not self._is_its_own_answer(known, event):
            self._prove(known, PROVED[event])
        assert payment.state is known.state

    def _is_its_own_answer(self, known: Known, event: Event) -> bool:
        # The same result once more: the run's own commit, whose answer was lost.
        return known.state is apply(State.IN_SESSION, event)

    @rule(payment_id=payments)
    def lose(self, payment_id: str) -> None:
        """Lose the connection of its session."""
        known = self.known[payment_id]
        if known.claimed is None:
            return
        lost = Settlement(event=Event.OUTCOME_LOST, reason=Reason.CONNECTION_LOST)
        payment = self.run(settling.doubt(self.database, known.claimed.grant, payment_id, lost))
        if known.state is State.IN_SESSION:
            known.state = State.IN_DOUBT
            if known.proof is not None:
                self._end(known, known.proof)
        assert payment.state is known.state

    @rule(payment_id=payments, proves=st.sampled_from([None, Event.PROVED_DONE]))
    def evidence(self, payment_id: str, proves: Event | None) -> None:
        """Store evidence of a gateway or an enquiry, whatever the payment's state."""
        evidence = Evidence(Source.GATEWAY, proves)
        payment = self.run(
            settling.add_evidence(self.database, payment_id, evidence, Result(), brought_by="ct_gateway")
        )
        known = self.known[payment_id]
        if proves is not None:
            self._prove(known, proves)
        assert payment.state is known.state
        assert payment.contradicted is known.has_conflict

    @rule(payment_id=payments)
    def cancel(self, payment_id: str) -> None:
        """Cancel the payment."""
        known = self.known[payment_id]
        cancelled: Payment | None = self.run(claims.cancel(self.database, payment_id, Reason.CALLER))
        assert (cancelled is not None) is (known.state is State.QUEUED)
        if cancelled is not None:
            self._end(known, Event.CANCELLED)

    @rule(payment_id=payments)
    def expire(self, payment_id: str) -> None:
        """Expire the payment."""
        known = self.known[payment_id]
        self.run(change(self.database, "UPDATE payments SET deadline_at = 0 WHERE id = :id", id=payment_id))
        expired: Payment | None = self.run(claims.expire(self.database, payment_id))
        assert (expired is not None) is (known.state is State.QUEUED)
        if expired is not None:
            self._end(known, Event.DEADLINE_PASSED)
            holder = self.holders[known.terminal_address]
            assert expired.reason == (Reason.NO_WORKER if holder is None else Reason.HELD)

    @rule(payment_id=payments)
    def release(self, payment_id: str) -> None:
        """End its lease: the lock is released, the payment stays as it is."""
        known = self.known[payment_id]
        if known.claimed is None or known.state is State.IN_SESSION:
            return
        freed = self.run(
            settling.release(self.database, known.claimed.grant, ObservedCapabilities(), why="time is over")
        )
        assert freed is (self.holders[known.terminal_address] == payment_id)
        if freed:
            self.holders[known.terminal_address] = None

    @rule(payment_id=payments, decision=st.sampled_from(Decision))
    def decide(self, payment_id: str, decision: Decision) -> None:
        """Decide its doubt as an operator, at any age."""
        known = self.known[payment_id]
        decided = self.run(
            operators.decide(
                self.database,
                payment_id,
                decision,
                actor=Actor("ct_1", "Jane", "the journal"),
                result=Result(),
                early_seconds=-1,
                doubt_window=lambda _profile: -1,
            )
        )
        if known.state is State.IN_DOUBT:
            assert isinstance(decided, Decided)
            self._prove(known, Event.PROVED_DONE if decision is Decision.CHARGED else Event.PROVED_ABORTED)
        else:
            assert isinstance(decided, NotInDoubt | Decided)
            assert not (isinstance(decided, Decided) and decided.is_new)
        assert decided.payment.state is known.state

    def _end(self, known: Known, event: Event) -> None:
        known.state = apply(known.state, event)
        if known.proof is not None and conflicts_with(known.state, known.proof):
            self._contradict(known)

    def _prove(self, known: Known, proof: Event) -> None:
        # The first proof settles a doubt that begins later; any proof can contradict.
        known.proof = known.proof or proof
        if known.state is State.IN_DOUBT:
            known.state = apply(known.state, proof)
        elif known.state in FINAL_STATES and conflicts_with(known.state, proof):
            self._contradict(known)

    def _contradict(self, known: Known) -> None:
        known.has_conflict = True
        for other in self.known.values():
            if other.key in self._locked_keys(known) and other.state is State.QUEUED:
                self._end(other, Event.CANCELLED)

    def _stored(self) -> dict[str, Any]:
        found = self.run(
            rows(
                self.database, "SELECT * FROM payments WHERE merchant_id = :merchant", merchant=self.merchant
            )
        )
        return {row.id: row for row in found}

    @invariant()
    def the_database_is_what_the_model_says(self) -> None:
        """No other payment and no other lock was changed; no payment disappeared."""
        if not hasattr(self, "known"):
            return
        self.stored = self._stored()
        assert {id_: row.state for id_, row in self.stored.items()} == {
            known.id: known.state for known in self.known.values()
        }
        for known in self.known.values():
            row = self.stored[known.id]
            assert bool(row.contradicted) is known.has_conflict
            assert bool(row.key_closed) is self._is_closed(known.key)
            assert (row.guard_key is not None) is self._blocks(known)
            assert (row.ended_at is not None) is (known.state in FINAL_STATES)
        for lock in self.run(
            rows(
                self.database,
                "SELECT address, held_by FROM terminal_locks WHERE address LIKE :like",
                like=self._like,
            )
        ):
            assert lock.held_by == self.holders[lock.address]

    @property
    def _like(self) -> str:
        return self.addresses[0].removesuffix("1") + "%"

    @invariant()
    def a_session_holds_its_line(self) -> None:
        """And no lock has two holders."""
        for known in getattr(self, "known", {}).values():
            if known.state is State.IN_SESSION:
                assert self.holders[known.terminal_address] == known.id

    @invariant()
    def never_more_goes_back_than_was_paid(self) -> None:
        """By reversals and credits that have succeeded or still may."""
        for debit in list(getattr(self, "known", {}).values()):
            back = [
                known
                for known in self.known.values()
                if known.debit_id == debit.id and (known.state in BLOCKING_STATES or known.has_conflict)
            ]
            # Conflicting evidence may come after a newer attempt was accepted: that is what it reports.
            if any(known.has_conflict for known in [debit, *back]):
                continue
            assert sum(known.amount for known in back) <= debit.amount
            kinds = {known.operation for known in back}
            assert len(kinds) < 2, "reversed and credited"

    def teardown(self) -> None:
        """Each history is one way through the table; a payment was claimed once at most."""
        histories: dict[str, list[Any]] = {payment_id: [] for payment_id in getattr(self, "known", {})}
        for event in self.run(
            rows(
                self.database,
                "SELECT e.payment_id, e.event, e.state FROM payment_events e JOIN payments p"
                " ON p.id = e.payment_id WHERE p.merchant_id = :merchant ORDER BY e.id",
                merchant=getattr(self, "merchant", ""),
            )
        ):
            histories[event.payment_id].append(event)
        for events in histories.values():
            assert events[0].event == "accepted"
            for before, after in itertools.pairwise(events):
                moves = TRANSITIONS[State(before.state)]
                assert after.state == before.state or moves[Event(after.event)] == after.state
            assert [event.event for event in events].count(Event.CLAIMED) <= 1


def test_any_order_of_everything_keeps_a_payments_promises(store: Store) -> None:
    """The whole life of payments: accepted, claimed, settled, doubted, proved, stopped, expired, decided."""
    with asyncio.Runner() as runner:
        opened = store.open()

        class OnThisStore(PaymentMachine):
            database = opened
            run = staticmethod(runner.run)

        try:
            run_state_machine_as_test(
                OnThisStore,
                settings=settings(
                    max_examples=12,
                    stateful_step_count=25,
                    deadline=None,
                    database=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(opened.close())


@pytest.mark.parametrize("event", [DONE, REFUSED, ABORTED])
def test_the_models_proofs_are_the_products(event: Event) -> None:
    """The model says 'late answer' in the same words."""
    from shared.payment.evidence import PROOF_OF_ANSWER

    assert PROOF_OF_ANSWER[event] is PROVED[event]
