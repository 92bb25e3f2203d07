"""Servers in Docker, through testcontainers.

Imported only when this way is tried: the import takes two seconds and testcontainers belongs to the
development dependencies. testcontainers reads its own settings while it is imported, so owner.py sets them in
its environment before: no helper container (the owner process removes what it started, however its parent
ends), and published ports instead of the bridge's addresses.
"""

import secrets
import time
from collections.abc import Callable
from typing import Any

from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient

from sandbox.servers.external import amqp_refusal, postgres_refusal, wait_until
from sandbox.servers.private.children import free_ports
from sandbox.servers.private.rabbitmq import MEMORY_LIMIT
from sandbox.servers.server import SourceMissing, StartFailed, say

RABBITMQ_IMAGE = "rabbitmq:4-management"
POSTGRES_IMAGE = "postgres:17"
ENGINE_SECONDS = 5
IMAGE_SECONDS = 60
READY_SECONDS = 240.0
STOP_SECONDS = 20


class ContainerServer:
    """A server in a container, its port published on 127.0.0.1 only and the same after a restart."""

    origin = "in Docker"

    def __init__(
        self,
        title: str,
        container: DockerContainer,
        inner_port: int,
        url_template: str,
        refusal: Callable[[str], str | None],
    ) -> None:
        self.title = title
        self._container = container
        self._was_started = False
        self._refusal = refusal
        [port] = free_ports(1)
        self._url = url_template.format(port=port)
        # testcontainers' own type knows no address; docker-py, which gets this as it is, does
        published: dict[str, Any] = {f"{inner_port}/tcp": ("127.0.0.1", port)}
        container.ports = published

    @property
    def url(self) -> str:
        return self._url

    def launch(self) -> None:
        try:
            if self._was_started:
                self._container.get_wrapped_container().start()
            else:
                self._was_started = True
                self._container.start()
        except Exception as error:
            raise StartFailed(f"{self.title}'s container does not start: {_first_line(error)}") from error

    def wait_ready(self) -> None:
        wait_until(lambda: self._refusal(self._url), self._check_running, READY_SECONDS, self.title)

    def kill(self) -> None:
        self._container.get_wrapped_container().kill()
        self._container.get_wrapped_container().wait()

    def stop(self) -> None:
        self._container.get_wrapped_container().stop(timeout=STOP_SECONDS)

    def remove(self) -> None:
        """Remove the container with its volumes; also one that was created and never started."""
        self._container.stop(force=True, delete_volume=True)

    def _check_running(self) -> None:
        self._container.reload()
        if self._container.status not in {"created", "running"}:
            output = b"".join(self._container.get_logs()).decode(errors="replace")[-2_000:]
            raise StartFailed(f"{self.title}'s container is '{self._container.status}':\n{output}")


class RabbitmqContainer(ContainerServer):
    """A broker in a container, whose memory alarm may be raised."""

    def alarm(self, *, raised: bool) -> None:
        limit = "1MB" if raised else MEMORY_LIMIT
        done = self._container.exec(["rabbitmqctl", "set_vm_memory_high_watermark", "absolute", limit])
        if done.exit_code != 0:
            raise StartFailed(f"rabbitmqctl ended with status {done.exit_code}: {done.output.decode()}")


def container_rabbitmq() -> ContainerServer:
    """Return a broker to be run from `rabbitmq:4-management`; raise SourceMissing without engine or image."""
    container = _container(RABBITMQ_IMAGE)
    container.with_env("RABBITMQ_DEFAULT_USER", "guest").with_env("RABBITMQ_DEFAULT_PASS", "guest")
    return RabbitmqContainer(
        "RabbitMQ", container, 5672, "amqp://guest:guest@127.0.0.1:{port}/", amqp_refusal
    )


def container_postgres() -> ContainerServer:
    """Return a server to be run from `postgres:17`; raise SourceMissing without engine or image."""
    container = _container(POSTGRES_IMAGE)
    password = secrets.token_hex(8)
    container.with_env("POSTGRES_PASSWORD", password)
    container.with_command(
        ["postgres", "-c", "max_connections=300", "-c", "fsync=on", "-c", "synchronous_commit=on"]
    )
    url = f"postgresql+asyncpg://postgres:{password}@127.0.0.1:{{port}}/postgres"
    return ContainerServer("PostgreSQL", container, 5432, url, postgres_refusal)


def _container(image: str) -> DockerContainer:
    try:
        client = DockerClient(timeout=ENGINE_SECONDS)
        host = client.host()
        client.client.ping()
    except Exception as error:
        raise SourceMissing(f"no Docker engine answers ({_first_line(error)})") from error
    if host not in {"localhost", "127.0.0.1"}:
        raise SourceMissing(f"the Docker engine is at {host}, so its containers are not on loopback")
    container = DockerContainer(image, docker_client_kw={"timeout": IMAGE_SECONDS})
    _fetch(client.client.api, container.image)
    return container


def _fetch(engine: Any, image: str) -> None:
    """Pull the image unless it is there; raise SourceMissing when it does not come within IMAGE_SECONDS."""
    if engine.images(name=image):
        return
    say(f"fetching the image {image}, at most {IMAGE_SECONDS} s ...")
    deadline = time.monotonic() + IMAGE_SECONDS
    name, _, tag = image.rpartition(":")
    try:
        for event in engine.pull(name, tag=tag, stream=True, decode=True):
            if "error" in event:
                raise SourceMissing(f"the image {image} cannot be fetched ({event['error']})")
            if time.monotonic() > deadline:
                raise SourceMissing(f"the image {image} did not come within {IMAGE_SECONDS} s")
    except SourceMissing:
        raise
    except Exception as error:
        raise SourceMissing(f"the image {image} cannot be fetched ({_first_line(error)})") from error


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
