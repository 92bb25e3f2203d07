"""The API's root: links for a person, the same as JSON for a program."""

from html import escape
from typing import Final

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from api.connector.routes import HEALTH_PATH
from api.http.responses import ERRORS_PAGE

#: Path and title of each link.
_LINKS: Final = {
    "documentation": ("/docs", "Documentation: every path, with its fields and errors"),
    "reference": ("/redoc", "The same, to read"),
    "errors": (ERRORS_PAGE, "Errors: their causes, and what to do"),
    "openapi": ("/openapi.json", "OpenAPI document"),
    "healthcheck": (HEALTH_PATH, "Health check"),
}
_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_STYLE: Final = "body{font:16px/1.6 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}"


def serve_root(app: FastAPI) -> None:
    """Serve the links at `/`."""

    @app.get("/", include_in_schema=False)
    async def root(request: Request) -> Response:
        base = escape(str(request.scope.get("root_path", "")))
        links = {name: f"{base}{path}" for name, (path, _) in _LINKS.items()}
        # The answer is another one for a browser: a cache keeps both.
        headers = {"Vary": "Accept"}
        if "text/html" not in request.headers.get("accept", ""):
            return JSONResponse({"title": app.title, "links": links}, headers=headers)
        items = "".join(
            f'<li><a href="{links[name]}">{title}</a></li>' for name, (_, title) in _LINKS.items()
        )
        page = (
            '<!doctype html><html lang="en"><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<meta name="color-scheme" content="light dark"><title>{app.title}</title>'
            f"<style>{_STYLE}</style>"
            f"<h1>{app.title}</h1><p>A payment begins with <code>POST {base}/v1/connector/order</code>.</p>"
            f"<ul>{items}</ul></html>"
        )
        return HTMLResponse(page, headers={**headers, "Content-Security-Policy": _POLICY})
