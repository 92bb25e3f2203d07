"""Browser of an operator who is logged in on the operators' page."""

import re
from dataclasses import dataclass

import httpx
from running.api_alone import ApiAlone

from shared.security.credentials import CredentialKind, Role


@dataclass
class Browser:
    """A browser with its cookies."""

    client: httpx.AsyncClient
    username: str = ""

    async def open(self, path: str = "", code: int = 200) -> str:
        answered = await self.client.get(f"/operator{path}")
        assert answered.status_code == code, answered.text
        return answered.text

    async def send(self, path: str, code: int = 303, **form: str) -> httpx.Response:
        """Send a form of the page with its token."""
        if "form_token" not in form:
            found = re.search(r'name="form_token" value="(\w+)"', await self.open())
            assert found is not None
            form["form_token"] = found[1]
        answered = await self.client.post(f"/operator{path}", data=form)
        assert answered.status_code == code, answered.text
        return answered


async def logged_in(api: ApiAlone, role: Role) -> Browser:
    name, secret = await api.login(CredentialKind.OPERATOR, role=role)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(api.app), base_url="http://localhost")
    browser = Browser(client, name)
    answered = await client.post("/operator/login", data={"username": name, "secret": secret})
    assert (answered.status_code, answered.headers["location"]) == (303, "/operator")
    return browser
