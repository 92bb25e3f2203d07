"""Rendered terminals fit the published document, and the reference page names every field."""

import dataclasses
from contextlib import suppress
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from in_memory.published_schemas import check, check_examples

from api.openapi import document
from api.openapi.document import openapi_document
from api.terminals.csv_file import COLUMNS, read_file
from api.terminals.entry import READ_ONLY, TerminalEntry, TerminalProfile, read_entry
from api.terminals.errors import ImportRefused
from api.terminals.models import Probe, Terminal
from shared.concert.profile import Profile
from shared.storage.terminals.probes import ProbeReport, ProbeResult
from shared.storage.terminals.registry import RegisteredTerminal
from shared.storage.terminals.status import Holder, TerminalStatus

PAGE = Path(document.__file__).parents[2] / "docs" / "reference" / "terminals.md"
REGISTERED = RegisteredTerminal(
    id="till-1",
    merchant_id="mer_1",
    label="Front",
    shop="Lyon",
    host="127.0.0.2",
    port=8888,
    terminal_address="127.0.0.2:8888",
    protocol="ConcertV3.2",
    profile='{"sends_receipt":false}',
    pos_number="01",
    authorisation="above",
    authorisation_above_cents=3000,
    disabled_at=None,
    sole_use_requested_at=1,
    sole_use_confirmed_at=None,
    created_at=1,
    changed_at=2,
    replaced_at=None,
)


def test_a_rendered_terminal_fits_its_schema_and_can_be_sent_back() -> None:
    """The answer of a GET is a valid PUT."""
    status = TerminalStatus(
        echoes=[["CB", "CZ"], ["CZ"]],
        answered_at=5,
        identifies=True,
        holder=Holder("pay_1", "in_session", 1, 2),
        waiting=["pay_2"],
    )
    shown = Terminal.of(REGISTERED, status).shown()

    check("Terminal", shown)
    assert shown.keys() == Terminal.model_fields.keys()
    assert set(READ_ONLY) == shown.keys() - TerminalEntry.model_fields.keys()
    assert shown["observed"]["fields"] == ["CZ"]
    assert read_entry("till-1", shown, answer_timeout_seconds=180)[1] == []


def test_an_answer_of_the_device_before_is_not_shown_as_last_seen() -> None:
    """A replaced terminal was last seen when the new device first answered."""
    replaced = dataclasses.replace(REGISTERED, replaced_at=10)

    assert Terminal.of(replaced, TerminalStatus(answered_at=9)).last_seen is None
    assert Terminal.of(replaced, TerminalStatus(answered_at=11)).last_seen is not None


def test_every_result_of_a_probe_that_is_answered_fits_its_schema() -> None:
    """Another merchant's payment is not named."""
    for result in set(ProbeResult) - {ProbeResult.NO_WORKER, ProbeResult.INTERRUPTED}:
        check("Probe", Probe.of(ProbeReport(result=result, round_trip_ms=1, detail="x")).shown())
    assert Probe.of(ProbeReport(result=ProbeResult.HELD, held_since=0)).shown() == {
        "result": "held",
        "held_since": "1970-01-01T00:00:00.000Z",
    }


def test_the_examples_of_the_paths_fit_their_schemas() -> None:
    """Every answer with an example."""
    for path, operations in openapi_document()["paths"].items():
        if "terminals" in path:
            for operation in operations.values():
                check_examples(operation["responses"])


def test_the_reference_page_names_fields_columns_profile_keys_and_results() -> None:
    """An integrator finds each of them."""
    page = PAGE.read_text(encoding="utf-8")

    names = {*Terminal.model_fields, *COLUMNS, *Profile().to_dict()}
    results = openapi_document()["components"]["schemas"]["Probe"]["properties"]["result"]["enum"]
    for name in (*names, *results):
        assert f"`{name.removeprefix('profile.')}`" in page, name


@given(st.binary(max_size=60) | st.text(alphabet='id,host;\n\r"aé1 ', max_size=60).map(str.encode))
def test_any_bytes_are_rows_or_named_errors(body: bytes) -> None:
    """Never a crash."""
    with suppress(ImportRefused):
        rows, errors = read_file(b"id,host\n" + body, answer_timeout_seconds=180)
        assert rows or errors


def test_the_profile_of_a_body_is_the_profile_of_a_session() -> None:
    """Same keys, same defaults."""
    assert TerminalProfile().model_dump() == Profile().to_dict()
