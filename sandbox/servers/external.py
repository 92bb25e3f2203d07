"""External servers, whose addresses are in the environment; they are never stopped or changed."""

import os
from collections.abc import Callable

from sandbox.servers.errors import SourceMissing, StartFailed
from sandbox.servers.probes import amqp_refusal, postgres_refusal
from sandbox.servers.server import AMQP_VARIABLE, POSTGRES_VARIABLE


class ExternalServer:
    """A server at an address from the environment; it can be used, not killed or stopped."""

    origin = "external"

    def __init__(self, title: str, variable: str, url: str, refusal: Callable[[str], str | None]) -> None:
        self.title = title
        self._variable = variable
        self._url = url
        self._refusal = refusal

    @property
    def url(self) -> str:
        return self._url

    def launch(self) -> None:
        """Do nothing: the server runs."""

    def wait_ready(self) -> None:
        """Raise StartFailed unless the server answers: a given address is never replaced silently."""
        reason = self._refusal(self._url)
        if reason is not None:
            raise StartFailed(
                f"{self.title} at the address in {self._variable} does not answer: {reason}\n"
                f"Start it, correct {self._variable}, or unset it to have a private one started."
            )

    def kill(self) -> None:
        raise self._not_ours("killed")

    def stop(self) -> None:
        raise self._not_ours("stopped")

    def remove(self) -> None:
        """Do nothing: the server stays."""

    def _not_ours(self, what: str) -> StartFailed:
        return StartFailed(
            f"{self.title} was given in {self._variable} and cannot be {what} from here; "
            f"unset {self._variable} to work with a private one."
        )


def external_rabbitmq() -> ExternalServer:
    """Return the broker at TEST_AMQP_URL; raise SourceMissing without one, StartFailed without an answer."""
    return _answering(ExternalServer("RabbitMQ", AMQP_VARIABLE, _address(AMQP_VARIABLE), amqp_refusal))


def external_postgres() -> ExternalServer:
    """Return the server at TEST_POSTGRES_URL, with or without `+asyncpg`; raise as `external_rabbitmq`
    does."""
    url = _address(POSTGRES_VARIABLE)
    for scheme in ("postgresql://", "postgres://"):
        if url.startswith(scheme):
            url = "postgresql+asyncpg://" + url.removeprefix(scheme)
    return _answering(ExternalServer("PostgreSQL", POSTGRES_VARIABLE, url, postgres_refusal))


def _answering(server: ExternalServer) -> ExternalServer:
    server.wait_ready()  # now, before another server is started in vain
    return server


def _address(variable: str) -> str:
    url = os.environ.get(variable, "")
    if not url:
        raise SourceMissing(f"{variable} is not set")
    return url
