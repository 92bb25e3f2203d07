"""The commands of the quickstart and of the guide to a POS, run as printed beside a running sandbox."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest
from running.fleet import REPOSITORY
from running.printed_commands import Step, steps_of
from running.whole_sandbox import WholeSandbox

PAGE: Final = REPOSITORY / "docs/tutorial/quickstart.md"
GUIDE: Final = REPOSITORY / "docs/how-to/integrate-a-pos.md"
#: The page prints the default ports.
SYSTEMS: Final = {"8080": "api", "8900": "screen", "8901": "register", "8902": "flow", "8904": "merchant"}


def output_of(step: Step, known: Mapping[str, str], sandbox: WholeSandbox, sales: Path) -> str:
    """Return what the commands print; `known`: what stands for the page's words in capitals."""
    commands = step.commands
    for word, value in known.items():
        commands = commands.replace(word, value)
    for port, system in SYSTEMS.items():
        commands = commands.replace(f"http://127.0.0.1:{port}", sandbox.entry[system])
    done = subprocess.run(
        ["bash", "-ec", commands],
        env={
            **os.environ,
            "CT_URL": sandbox.entry["api"],
            "CT_USERNAME": sandbox.entry["username"],
            "CT_SECRET": sandbox.entry["password"],
            "NO_PROXY": "*",
            "SALES_FILE": str(sales),
        },
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout.replace(f"{known['ORDER']}_", "ORDER_")


@pytest.mark.parametrize("page", [PAGE, GUIDE], ids=lambda page: page.stem)
def test_a_pages_commands_answer_as_printed(page: Path, sandbox: WholeSandbox, tmp_path: Path) -> None:
    """Paid, paid once, refused, and recorded; a POS's orders, its looks and a refund."""
    known = {"ORDER": sandbox.new_order_id()}

    for step in steps_of(page.read_text()):
        output = output_of(step, known, sandbox, tmp_path / "sales.db")
        found = step.found_in(output)
        assert found is not None, f"shown:\n{step.answer}\nanswered:\n{output}"
        known |= found


@pytest.mark.parametrize("port", ["8900", "8901", "8902"])
def test_the_quickstarts_pages_are_there(sandbox: WholeSandbox, port: str) -> None:
    """Those that it sends a reader to."""
    assert f"<http://127.0.0.1:{port}>" in PAGE.read_text()
    assert sandbox.front_page(SYSTEMS[port]).startswith("<!doctype html>")
