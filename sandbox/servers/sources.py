"""Search for a source of each server: an external address, Docker, an installation, Debian packages."""

import importlib
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from sandbox.servers.errors import ServersUnavailable, SourceMissing
from sandbox.servers.external import external_postgres, external_rabbitmq
from sandbox.servers.private.postgres import PrivatePostgres, installed_postgres, unpacked_postgres
from sandbox.servers.private.rabbitmq import PrivateRabbitmq, installed_rabbitmq, unpacked_rabbitmq
from sandbox.servers.server import AMQP_VARIABLE, POSTGRES_VARIABLE, SOURCES, Kind, Server, Source, say

ADVICE: dict[Kind, str] = {
    "rabbitmq": f"start one and set {AMQP_VARIABLE}=amqp://user:password@host:5672/",
    "postgres": f"start one and set {POSTGRES_VARIABLE}=postgresql://user:password@host:5432/database",
}


def find_server(kind: Kind, sources: tuple[Source, ...], folder: Path) -> Server:
    """Return the server from the first of these sources that exists here, not launched yet.

    A private server keeps its data in `folder`. Raises ServersUnavailable where no source exists; the message
    names each with what it lacks.
    """
    closed = []
    for source in SOURCES:
        if source not in sources:
            continue
        try:
            return _WAYS[kind][source](folder)
        except SourceMissing as missing:
            if source == "docker" and _an_engine_may_answer():
                say(f"not in Docker: {missing}")
            closed.append(f"  {source:<10} {missing}")
    raise ServersUnavailable(
        f"No {kind} found:\n" + "\n".join(closed) + f"\nProvide one of these, or {ADVICE[kind]}"
    )


def _external(find: Callable[[], Server], _folder: Path) -> Server:
    return find()


def _docker(function: str, _folder: Path) -> Server:
    if not _an_engine_may_answer():
        raise SourceMissing("no Docker engine: no DOCKER_HOST and no docker.sock in the usual places")
    try:
        containers = importlib.import_module("sandbox.servers.containers")
    except ModuleNotFoundError as error:
        raise SourceMissing(f"the Python package {error.name} is not installed") from error
    server: Server = getattr(containers, function)()
    return server


def _an_engine_may_answer() -> bool:
    """Return whether a Docker socket exists; it spares two seconds of imports on a machine without Docker."""
    places = [Path("/var/run"), Path.home() / ".docker/run", Path.home() / ".docker/desktop"]
    if "XDG_RUNTIME_DIR" in os.environ:
        places.append(Path(os.environ["XDG_RUNTIME_DIR"]))
    return "DOCKER_HOST" in os.environ or any((place / "docker.sock").exists() for place in places)


_WAYS: dict[Kind, dict[Source, Callable[[Path], Server]]] = {
    "rabbitmq": {
        "external": partial(_external, external_rabbitmq),
        "docker": partial(_docker, "container_rabbitmq"),
        "installed": lambda folder: PrivateRabbitmq(installed_rabbitmq(), folder),
        "unpacked": lambda folder: PrivateRabbitmq(unpacked_rabbitmq(), folder),
    },
    "postgres": {
        "external": partial(_external, external_postgres),
        "docker": partial(_docker, "container_postgres"),
        "installed": lambda folder: PrivatePostgres(installed_postgres(), folder),
        "unpacked": lambda folder: PrivatePostgres(unpacked_postgres(), folder),
    },
}
