"""The path of orders, answered in front of the framework, whose way there costs a third of it."""

from typing import Final

from fastapi import FastAPI, Request
from starlette.types import Receive, Scope, Send

from api.connector.routes import router, take_order
from api.http.dependencies import Dependencies, ordering_merchant
from api.http.responses import answer_exception

_PATH: Final = f"{router.prefix}/order"
_ROUTE: Final = next(route for route in router.routes if getattr(route, "path", None) == _PATH)


class OrderPath:
    """ASGI application of orders; every other request goes to the framework's application.

    It calls the function that the framework documents, with the same credential and dependencies. What that
    raises is answered by the framework's own handlers.
    """

    def __init__(self, framework: FastAPI, dependencies: Dependencies) -> None:
        self._framework: Final = framework
        self._dependencies: Final = dependencies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != _PATH or scope["method"] != "POST":
            await self._framework(scope, receive, send)
            return
        # Where a request finds the dependencies.
        scope["app"] = self._framework
        scope["route"] = _ROUTE
        request = Request(scope, receive, send)
        try:
            merchant = await ordering_merchant(request)
            response = await take_order(request, self._dependencies, merchant)
        except Exception as error:
            response = await answer_exception(request, error)
        await response(scope, receive, send)
