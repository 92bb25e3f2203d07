"""`doctor` sees a policy that limits our queues, through a real RabbitMQ's management API."""

from pathlib import Path

import httpx
from eventually import eventually
from running.private_servers import private_rabbitmq

from cli.doctor.finding import Finding, Level
from cli.doctor.policy_check import check_policies
from shared.broker.connections import connected, declare_topology, topology_of
from shared.settings.load import load_settings
from shared.settings.settings import Settings


async def findings(settings: Settings, url: str, level: Level) -> list[Finding]:
    return [one async for one in check_policies(settings, url) if one.level is level]


async def test_a_policy_of_rabbitmq_is_found(folder: Path) -> None:
    """The operator's one, too; without one there is no problem."""
    async with private_rabbitmq(folder / "rabbitmq", with_management=True) as server:
        settings, url = load_settings(amqp_url=server.url), server.management_url
        async with connected(settings, process="test", purpose="publish") as connection:
            await declare_topology(connection, topology_of(settings), timeout_seconds=30)
        await eventually(lambda: findings(settings, url, Level.OK))
        assert await findings(settings, url, Level.PROBLEM) == []

        async with httpx.AsyncClient(base_url=url, auth=("guest", "guest")) as client:
            drops = {"pattern": "^payments$", "definition": {"message-ttl": 1000}, "apply-to": "queues"}
            made = await client.put("/api/operator-policies/%2F/drops", json=drops)

        assert made.status_code == 201
        (found,) = await eventually(lambda: findings(settings, url, Level.PROBLEM))
        assert found.fact == "The policy drops limits the queue payments: message-ttl 1000."
