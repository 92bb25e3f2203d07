"""An installation of compose.yaml under a name of its own, and what tests do with it from outside."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parents[2]
#: With the base images there; fetching them is up to the line to the registry.
UP_SECONDS: Final = 900
#: The start of a command takes seconds, and minutes on a machine that is busy with all the rest.
CALL_SECONDS: Final = 300
#: Nothing runs any more, and the data goes with the volumes.
STOP_SECONDS: Final = 10


class Failed(Exception):
    """A step did not do what it promises; the message says what came instead."""


class Installation:
    """Containers, networks and volumes of one test; those of a running installation are not touched."""

    def __init__(
        self, *profiles: str, files: Sequence[str] = (), root: Path = REPOSITORY, api_port: int = 0
    ) -> None:
        """`files` are names of further Compose files in tests/compose, `root` the repository or a clone."""
        self.root: Final = root
        self.project: Final = f"cloud-terminal-test-{os.getpid()}"
        self.environment: Final = {
            **os.environ,
            # Port 0: the engine takes a free one on loopback.
            "CLOUD_TERMINAL_API_PORT": str(api_port),
            "CLOUD_TERMINAL_PROMETHEUS_PORT": "0",
            "CLOUD_TERMINAL_GRAFANA_PORT": "0",
            "CLOUD_TERMINAL_TLS_PORT": "0",
            "CLOUD_TERMINAL_EDGE_SUBNET": f"10.213.{48 + os.getpid() % 200}.0/24",
            "COMPOSE_PROJECT_NAME": self.project,
            "COMPOSE_PROFILES": ",".join(profiles),
            "COMPOSE_FILE": ":".join(
                [str(root / "compose.yaml"), *(str(root / "tests" / "compose" / name) for name in files)]
            ),
        }

    @contextmanager
    def cleaned_up(self) -> Iterator[None]:
        """Take everything down at the end of the block; after a failure show the end of the logs before."""
        try:
            yield
        except Failed:
            self.compose("logs", "--no-color", "--tail", "40", check=False)
            raise
        finally:
            with timed("down, with volumes"):
                down = ("down", "--volumes", "--remove-orphans", "--timeout", str(STOP_SECONDS))
                # A command that took too long left a container behind, which ends meanwhile.
                if self.compose(*down, check=False).returncode:
                    self.compose(*down)

    def up(self, **scales: int) -> None:
        """Build and start, until all is healthy; `terminal_worker=4` stands for four of `terminal-worker`."""
        wanted = [f"--scale={name.replace('_', '-')}={number}" for name, number in scales.items()]
        with timed("up, until all are healthy"):
            self.compose("up", "--build", "--wait", *wanted, seconds=UP_SECONDS)

    def compose(
        self, *arguments: str, seconds: float = CALL_SECONDS, capture: bool = False, check: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        command = ("docker", "compose", "--progress", "plain", *arguments)
        return self.run(*command, seconds=seconds, capture=capture, check=check)

    def output(self, *arguments: str) -> str:
        """Return what `docker compose` prints."""
        return self.compose(*arguments, capture=True).stdout or ""

    def run(
        self, *command: str, seconds: float = CALL_SECONDS, capture: bool = False, check: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        try:
            done = subprocess.run(
                command,
                cwd=self.root,
                env=self.environment,
                text=True,
                timeout=seconds,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if capture else None,
                check=False,
            )
        except FileNotFoundError as error:
            raise Failed(f"{command[0]} is not installed: this test needs a Docker engine") from error
        except subprocess.TimeoutExpired as error:
            raise Failed(f"{' '.join(command)} was not done after {seconds:.0f} s") from error
        if check and done.returncode != 0:
            raise Failed(f"{' '.join(command)} ended with status {done.returncode}")
        return done

    def address(self, service: str, port: int) -> str:
        """Return the published address of a service's port, `127.0.0.1:...`."""
        return self.output("port", service, str(port)).strip()

    def containers(self, service: str) -> list[str]:
        """Return the ids of a service's running containers."""
        return self.output("ps", "--quiet", service).split()

    def credential(self) -> tuple[str, str]:
        """Create a merchant whose terminals are in the network `outside`; return a credential's name and
        secret."""
        form = "{{(index .IPAM.Config 0).Subnet}}"
        inspected = self.run(
            "docker", "network", "inspect", "--format", form, f"{self.project}_outside", capture=True
        )
        network = (inspected.stdout or "").strip()
        merchant = json.loads(self._command("merchants", "create", "Shop", "--network", network, "--json"))
        credential = json.loads(self._command("credentials", "create", merchant["id"], "--json"))
        return credential["username"], credential["secret"]

    def rows(self, query: str) -> list[list[str]]:
        """Return the rows that a query to the database gives."""
        psql = ("psql", "-U", "cloud_terminal", "-d", "cloud_terminal", "-At", "-c", query)
        return [line.split("|") for line in self.output("exec", "-T", "postgres", *psql).splitlines()]

    def _command(self, *arguments: str) -> str:
        # With the owner's account: the API's may not make merchants and credentials.
        return self.output("run", "--rm", "--no-deps", "-T", "migrate", *arguments)


@contextmanager
def timed(step: str) -> Iterator[None]:
    """Print how long a step takes."""
    say(f"{step} ...")
    began = time.monotonic()
    yield
    say(f"{step}: {time.monotonic() - began:.1f} s")


def say(text: str) -> None:
    sys.stdout.write(f"compose: {text}\n")
    sys.stdout.flush()
