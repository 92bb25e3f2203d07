"""Commands of the handbook's pages on investigations and totals, run as they are printed."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from databases import Store
from running.api_alone import on_sqlite
from running.command import Command, over_http
from running.fleet import REPOSITORY
from running.served_api import ServedApi, served_api

from shared.payment.payment import Result
from shared.payment.states import Event
from shared.security.credentials import CredentialKind

FOLDER: Final = REPOSITORY / "docs/operations"
#: The other side has sales that are not here.
EXIT_CODES: Final = {"compare": 6}


def commands_of(page: str) -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", (FOLDER / page).read_text(), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line.partition(" > ")[0] for line in lines if line.startswith("cloud-terminal ")]


@pytest.fixture
def served(store: Store) -> Iterator[ServedApi]:
    with served_api(store) as one:
        yield one


def charge_twice(served: ServedApi) -> list[str]:
    """Charge one card with two orders; its receipts try to colour the operator's terminal."""

    async def pay() -> list[str]:
        pos, charged = await served.api.merchant(), []
        for order in ("ORDER_1", "ORDER_2"):
            charged.append(await pos.order_async(order_id=order, amount=4250))
            result = Result(masked_card="497010******0003", receipt=f"TICKET 000042\n{order}\x1b[31m")
            await served.api.settle(await served.api.claim(charged[-1]), Event.ANSWERED_DONE, result)
        return charged

    return served.run(pay())


def typed(command: Command, line: str, payment_id: str) -> str:
    words = [payment_id if word == "PAYMENT" else word for word in shlex.split(line)[1:]]
    return command.run(*words, code=EXIT_CODES.get(words[1], 0)).stdout


@on_sqlite
def test_the_commands_lead_from_four_digits_to_the_receipt(served: ServedApi) -> None:
    """Both charges side by side, the receipt, and the same payments by what the receipt shows."""
    first, second = charge_twice(served)
    operator = over_http(served, CredentialKind.OPERATOR)

    shown = {line: typed(operator, line, second) for line in commands_of("investigate.md")}

    assert [line.split()[2] for line in shown] == ["charged-twice", "show", "list", "list"]
    side_by_side, whole, *lists = shown.values()
    assert "2 charged, 0 may have, 0 given back" in side_by_side
    assert "    TICKET 000042\n    ORDER_2?[31m\n" in whole
    assert f"2 charged, 0 may have, 0 given back\n    {first}\n" in whole
    assert all(first in text and second in text for text in (side_by_side, *lists))
    assert all(len(line) <= 80 for text in shown.values() for line in text.splitlines())


@on_sqlite
def test_the_commands_of_totals_work_as_they_are_printed(
    served: ServedApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the file that the page shows."""
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```text\n(day;.*?)```", (FOLDER / "totals.md").read_text(), re.DOTALL)
    (tmp_path / "terminal.csv").write_text(example)
    operator = over_http(served, CredentialKind.OPERATOR)

    shown = {line: typed(operator, line, "") for line in commands_of("totals.md")}

    assert [line.split()[2] for line in shown] == ["show", "show", "compare", "export", "export"]
    assert any("missing_here" in text for text in shown.values())
