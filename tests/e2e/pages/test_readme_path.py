"""The README's section 'Pay' and the tutorial of a real terminal: their commands work as printed."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Final

from eventually import eventually
from loopback import terminal_host
from running.fleet import REPOSITORY
from running.printed_commands import PLACEHOLDER, Step, steps_of
from system import delete_queues
from wire.shop_terminal import shop_terminal

HEADING: Final = "## Pay\n"
#: `make` with this virtual environment, which is taken for up to date: several test runs may share it.
PRELUDE: Final = 'set -e; make() { command make -o "$VIRTUAL_ENV/.ready" VENV="$VIRTUAL_ENV" "$@"; }\n'


class Reader:
    """Types what the README prints; an address of this test's own stands for 127.0.0.1."""

    def __init__(self, folder: Path, amqp_url: str, amqp_prefix: str) -> None:
        self._folder = folder
        self._host = terminal_host()
        self._answers: dict[str, str] = {}
        #: What a page prints in place of a reader's own addresses.
        self.stands_for: dict[str, str] = {}
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
            "PATH": f"{sys.prefix}/bin:{os.environ['PATH']}",
            "PYTHONPATH": str(REPOSITORY),
            "VIRTUAL_ENV": sys.prefix,
            "TEST_AMQP_URL": amqp_url,
            "CLOUD_TERMINAL_AMQP_PREFIX": amqp_prefix,
            "CLOUD_TERMINAL_API_HOST": self._host,
            "CLOUD_TERMINAL_MANAGEMENT_PORT": "0",
            "CLOUD_TERMINAL_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/data/cloud-terminal.db",
        }

    def type(self, step: Step) -> str:
        """Run a step to its end; return what it wrote, as the README would show it."""
        done = subprocess.run(
            ["bash", "-c", self._script(step)],
            cwd=REPOSITORY,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout
        output = self._as_printed(done.stdout)
        found = step.found_in(output)
        assert found is not None, f"shown:\n{step.answer}\nanswered:\n{output}"
        self._answers |= found
        return output

    @contextlib.asynccontextmanager
    async def running(self, step: Step, name: str) -> AsyncIterator[Path]:
        """Run a step in a shell of its own until the block ends; give its log."""
        log = self._folder / f"{name}.log"
        with log.open("wb") as output:
            shell = await asyncio.create_subprocess_exec(
                "bash",
                "-c",
                self._script(step),
                cwd=REPOSITORY,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            yield log
        finally:
            os.killpg(shell.pid, signal.SIGTERM)
            await shell.wait()
            await eventually(partial(_has_ended, shell.pid), within_seconds=60)

    def shows(self, step: Step, log: Path) -> bool:
        return step.found_in(self._as_printed(log.read_text())) is not None

    def _script(self, step: Step) -> str:
        text = PLACEHOLDER.sub(lambda match: self._answers[match[0]], step.commands)
        for printed, here in self.stands_for.items():
            text = text.replace(printed, here)
        return PRELUDE + text.replace("127.0.0.1", self._host).replace(".venv/", f"{sys.prefix}/")

    def _as_printed(self, output: str) -> str:
        for printed, here in self.stands_for.items():
            output = output.replace(here, printed)
        return output.replace(self._host, "127.0.0.1").replace(f"{self._folder}/", "")


def _has_ended(group: int) -> bool:
    """Return whether no process of the group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def readme_steps() -> list[Step]:
    return steps_of((REPOSITORY / "README.md").read_text().split(HEADING)[1].split("\n## ")[0])


async def pay_on_a_real_terminal(reader: Reader) -> None:
    """Type the tutorial's commands beside the API that runs; another device stands for the terminal."""
    page = (REPOSITORY / "docs/tutorial/real-terminal.md").read_text()
    async with shop_terminal() as terminal:
        reader.stands_for = {"192.0.2.17": terminal.host, "192.0.2.0/24": "127.0.0.0/8"}
        for step in steps_of(page):
            if not step.keeps_running:
                await asyncio.to_thread(reader.type, step)


async def test_the_readmes_commands_pay_as_printed(tmp_path: Path, amqp_url: str, amqp_prefix: str) -> None:
    """From nothing to a paid order and its stored answer; then on the tutorial's terminal."""
    reader = Reader(tmp_path, amqp_url, amqp_prefix)

    *preparing, paying = readme_steps()

    async with contextlib.AsyncExitStack() as shells:
        shells.push_async_callback(delete_queues, amqp_url, amqp_prefix)
        for number, step in enumerate(preparing):
            if step.keeps_running:
                log = await shells.enter_async_context(reader.running(step, f"shell-{number}"))
                await eventually(partial(reader.shows, step, log), within_seconds=60)
            else:
                reader.type(step)
        first = reader.type(paying)
        again = reader.type(Step(paying.commands, '{"paymentStatus":"Success"'))
        await pay_on_a_real_terminal(reader)

    assert '"replayed":false' in first
    assert '"replayed":true' in again
