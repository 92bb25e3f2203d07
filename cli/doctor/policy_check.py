"""Check of RabbitMQ's policies: none may limit, expire or drop what is in our queues.

AMQP shows no policy; RabbitMQ's management API does, where it is reachable.
"""

import ssl
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote, urlsplit

import httpx

from cli.doctor.finding import Finding, Findings, Level
from shared.broker.connections import topology_of
from shared.network.tls import verifying_context

if TYPE_CHECKING:
    from shared.settings.settings import Settings

PART: Final = "policies"

_TIMEOUT_SECONDS: Final = 5.0
_PORTS: Final = {"amqp": ("http", 15672), "amqps": ("https", 15671)}
#: Keys of a policy by which RabbitMQ drops messages, or a queue with them.
_LOSES: Final = frozenset({"max-length", "max-length-bytes", "message-ttl", "expires", "delivery-limit"})
_BY_HAND: Final = "Type on its machine: rabbitmqctl list_policies; none may limit or expire our queues."


def management_url(amqp_url: str) -> str:
    """Return the address of the management API beside a broker, at its default port."""
    parts = urlsplit(amqp_url)
    scheme, port = _PORTS[parts.scheme]
    host = parts.hostname or "localhost"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


async def check_policies(settings: "Settings", given_url: str | None) -> Findings:
    """Yield each of our queues that a policy limits; `given_url`: the management API's, else the default."""
    if settings.amqp_url is None:
        return
    amqp_url = settings.amqp_url.get_secret_value()
    parts = urlsplit(amqp_url)
    base = (given_url or management_url(amqp_url)).rstrip("/")
    virtual_host = unquote(parts.path.removeprefix("/")) or "/"
    login = (unquote(parts.username or "guest"), unquote(parts.password or "guest"))
    trust: ssl.SSLContext | bool = True
    if settings.amqp_ca_file is not None:
        trust = verifying_context(settings.amqp_ca_file)
    try:
        async with httpx.AsyncClient(
            base_url=base, auth=login, timeout=_TIMEOUT_SECONDS, verify=trust, trust_env=False
        ) as client:
            seen = 0
            for name in topology_of(settings).durable_queues:
                answered = await client.get(_path(virtual_host, name))
                if answered.status_code == 404:
                    continue
                if answered.status_code != 200:
                    yield _unseen(
                        base, f"answers {answered.status_code}: has the account the tag monitoring?"
                    )
                    return
                seen += 1
                finding = _judge(name, answered.json())
                if finding is not None:
                    yield finding
    except (httpx.HTTPError, ValueError) as error:
        yield _unseen(base, f"does not answer ({str(error) or type(error).__name__}).")
        return
    yield Finding(PART, Level.OK, f"The policies of {seen} queues were looked at, by {base}.")


def _path(virtual_host: str, queue: str) -> str:
    return f"/api/queues/{quote(virtual_host, safe='')}/{quote(queue, safe='')}"


def _judge(name: str, queue: dict[str, Any]) -> Finding | None:
    # What applies of the policy and the operator's policy together.
    found = queue.get("effective_policy_definition") or {}
    limits = {key: value for key, value in sorted(found.items()) if key in _LOSES}
    if not limits:
        return None
    named = ", ".join(f"{key} {value}" for key, value in limits.items())
    policies = [queue[key] for key in ("policy", "operator_policy") if queue.get(key)]
    return Finding(
        PART,
        Level.PROBLEM,
        f"The policy {' and '.join(policies)} limits the queue {name}: {named}.",
        "Change its pattern, so that it leaves this installation's queues out.",
    )


def _unseen(base: str, why: str) -> Finding:
    return Finding(PART, Level.WARNING, f"Policies of the queues are not known: {base} {why}", _BY_HAND)
