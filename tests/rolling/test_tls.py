"""TLS at the proxy, with a certificate of an authority; what the API is told about the client."""

from pathlib import Path

import httpx
import pytest
from eventually import eventually
from running.fleet import REPOSITORY
from wire.certificates import Authority
from wire.webhook_receiver import receiving

from sandbox.servers.private.haproxy import ApiAddress, balanced

FORGED = {"X-Forwarded-For": "10.1.2.3", "X-Forwarded-Proto": "http"}


async def test_the_proxy_speaks_tls_and_names_the_client(tmp_path: Path) -> None:
    """A client that trusts the authority is served, no other; what clients forge is replaced."""
    authority = Authority(tmp_path)
    certificate = authority.server_file("127.0.0.1")
    async with receiving() as api:
        port = int(api.url.split(":")[2].partition("/")[0])
        with balanced(REPOSITORY / "deploy" / "haproxy", [ApiAddress(port, port)], certificate) as url:
            async with httpx.AsyncClient(verify=authority.trust()) as client:

                async def served() -> httpx.Response | None:
                    answer = await client.get(url, headers=FORGED)
                    return answer if answer.status_code == 200 else None

                answer = await eventually(served)
            async with httpx.AsyncClient() as stranger:
                with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                    await stranger.get(url)

    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    [request] = [one for one in api.received if one.path == "/"]
    assert request.headers["x-forwarded-for"] == "127.0.0.1"
    assert request.headers["x-forwarded-proto"] == "https"
