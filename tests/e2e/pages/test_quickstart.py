"""The quickstart's commands, run as printed beside a running sandbox."""

import os
import subprocess
from typing import Final

import pytest
from running.fleet import REPOSITORY
from running.printed_commands import Step, steps_of
from running.whole_sandbox import WholeSandbox

PAGE: Final = REPOSITORY / "docs/tutorial/quickstart.md"
#: The page prints the default ports.
SYSTEMS: Final = {"8080": "api", "8900": "screen", "8901": "register", "8902": "flow", "8904": "merchant"}


def output_of(step: Step, sandbox: WholeSandbox, order_prefix: str) -> str:
    commands = step.commands.replace("ORDER_", f"{order_prefix}_")
    for port, system in SYSTEMS.items():
        commands = commands.replace(f"http://127.0.0.1:{port}", sandbox.entry[system])
    done = subprocess.run(
        ["bash", "-ec", commands],
        env={
            **os.environ,
            "CT_USERNAME": sandbox.entry["username"],
            "CT_SECRET": sandbox.entry["password"],
            "NO_PROXY": "*",
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout.replace(f"{order_prefix}_", "ORDER_")


def test_the_quickstarts_commands_answer_as_printed(sandbox: WholeSandbox) -> None:
    """Paid, paid once, refused, and recorded."""
    prefix = sandbox.new_order_id()

    for step in steps_of(PAGE.read_text()):
        output = output_of(step, sandbox, prefix)
        assert step.found_in(output) is not None, f"shown:\n{step.answer}\nanswered:\n{output}"


@pytest.mark.parametrize("port", ["8900", "8901", "8902"])
def test_the_quickstarts_pages_are_there(sandbox: WholeSandbox, port: str) -> None:
    """Those that it sends a reader to."""
    assert f"<http://127.0.0.1:{port}>" in PAGE.read_text()
    assert sandbox.front_page(SYSTEMS[port]).startswith("<!doctype html>")
