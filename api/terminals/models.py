"""Registered terminals, probes and imports, as the API's answers show them."""

import json
from typing import Literal, Self

from pydantic import Field

from api.http.models import Omittable, ResponseBody, Time, known
from api.terminals.entry import TerminalAuthorisation, TerminalProfile
from shared.payment.states import State
from shared.runtime.clock import iso_time
from shared.storage.terminals.probes import ProbeReport, ProbeResult
from shared.storage.terminals.registry import RegisteredTerminal
from shared.storage.terminals.status import Holder, TerminalStatus

#: Probe results that are answered with an error.
_FAILED: tuple[ProbeResult, ...] = (ProbeResult.INTERRUPTED, ProbeResult.NO_WORKER)


class TerminalHolder(ResponseBody):
    """The merchant's payment or probe that has the terminal lock."""

    id: str
    state: Omittable[str] = Field(
        None,
        description="The payment's; left out for a probe.",
        json_schema_extra={"enum": [state.value for state in State]},
    )
    since: Time
    until: Omittable[Time] = Field(None, description="End of the lease.")

    @classmethod
    def of(cls, holder: Holder | None) -> Self | None:
        """Return the holder; None where nobody or another merchant has the lock."""
        if holder is None or holder.id is None:
            return None
        since, until = iso_time(holder.since), iso_time(holder.until)
        return cls(**known(id=holder.id, state=holder.state, since=since, until=until))


class TerminalPayments(ResponseBody):
    """The merchant's own payments by id; numbers of those of other merchants at the same address."""

    running: TerminalHolder | None
    waiting: list[str] = Field(description="The queued payments, the oldest first.")
    others_running: int = Field(ge=0)
    others_waiting: int = Field(ge=0)


class ObservedCapabilities(ResponseBody):
    """Capabilities that the terminal's last answers show."""

    answers: int = Field(ge=0, description="The number of answers that are kept, three at most.")
    fields: list[str] = Field(description="Tags that are in each of them.")
    identifies: bool | None = Field(description="True if the terminal answers identifications.")
    identify_first: bool = Field(description="The next payment begins with an identification.")

    @classmethod
    def of(cls, status: TerminalStatus) -> Self:
        """Return the capabilities that the status shows."""
        answers = [set(tags) for tags in status.echoes]
        return cls(
            answers=len(answers),
            fields=sorted(set.intersection(*answers)) if answers else [],
            identifies=status.identifies,
            identify_first=status.identify_first,
        )


class Terminal(ResponseBody):
    """A registered terminal."""

    id: str = Field(description="Chosen by the merchant.", examples=["till-1"])
    label: str
    shop: str
    host: str
    port: int
    terminal_address: str = Field(description="Current `address:port` of the host.")
    protocol: str
    pos_number: str
    profile: TerminalProfile
    authorisation: TerminalAuthorisation
    sole_use: Literal["none", "requested", "confirmed"]
    disabled: bool
    created_at: Time
    changed_at: Time
    replaced_at: Time | None
    last_seen: Time | None = Field(description="Time of the last complete answer of the present device.")
    observed: ObservedCapabilities
    payments: TerminalPayments

    @classmethod
    def of(cls, terminal: RegisteredTerminal, status: TerminalStatus) -> Self:
        """Return the terminal as answers show it. The stored profile and policy were checked before."""
        seen = status.answered_at
        is_seen = seen is not None and seen >= (terminal.replaced_at or 0)
        running = TerminalHolder.of(status.holder)
        return cls.model_validate(
            {
                "id": terminal.id,
                "label": terminal.label,
                "shop": terminal.shop,
                "host": terminal.host,
                "port": terminal.port,
                "terminal_address": terminal.terminal_address,
                "protocol": terminal.protocol,
                "pos_number": terminal.pos_number,
                "profile": TerminalProfile.model_construct(**json.loads(terminal.profile)),
                "authorisation": TerminalAuthorisation.model_construct(
                    **known(policy=terminal.authorisation, above_cents=terminal.authorisation_above_cents)
                ),
                "sole_use": terminal.sole_use,
                "disabled": terminal.disabled_at is not None,
                "created_at": iso_time(terminal.created_at),
                "changed_at": iso_time(terminal.changed_at),
                "replaced_at": iso_time(terminal.replaced_at),
                "last_seen": iso_time(seen) if is_seen else None,
                "observed": ObservedCapabilities.of(status),
                "payments": TerminalPayments(
                    running=running,
                    waiting=status.waiting,
                    others_running=int(status.holder is not None and running is None),
                    others_waiting=status.others_waiting,
                ),
            }
        )


class TerminalPage(ResponseBody):
    """One page of terminals."""

    terminals: list[Terminal]
    next: Omittable[str] = Field(None, description="The next page's `cursor`; left out on the last page.")


class TerminalImport(ResponseBody):
    """The effect of a file."""

    dry_run: bool = Field(description="The file was checked only.")
    rows: int = Field(ge=0)
    created: int = Field(ge=0)
    changed: int = Field(ge=0)


class Probe(ResponseBody):
    """The result of a probe; what is not known is left out."""

    result: str = Field(
        json_schema_extra={"enum": [result.value for result in ProbeResult if result not in _FAILED]}
    )
    round_trip_ms: Omittable[int] = Field(
        None, ge=0, description="Milliseconds from the identification to its answer."
    )
    detail: Omittable[str] = None
    held_by: Omittable[str] = Field(None, description="The merchant's own payment or probe.")
    held_since: Omittable[Time] = None

    @classmethod
    def of(cls, report: ProbeReport) -> Self:
        """Return the report as answers show it."""
        is_held = report.result is ProbeResult.HELD
        return cls(
            **known(
                result=report.result.value,
                round_trip_ms=report.round_trip_ms,
                detail=report.detail,
                held_by=report.held_by if is_held else None,
                held_since=iso_time(report.held_since) if is_held else None,
            )
        )
