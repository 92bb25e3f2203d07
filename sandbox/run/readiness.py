"""Whether the sandbox can be used: for health checks, and for people's scripts."""

from starlette.responses import JSONResponse


class Readiness:
    """Not ready until the shop is made known to the API."""

    def __init__(self) -> None:
        self.is_ready = False

    async def answer(self) -> JSONResponse:
        """Answer `GET /readyz`: 200, or 503 as long as it is not ready."""
        return JSONResponse({"ready": self.is_ready}, 200 if self.is_ready else 503)
