"""A receiver of webhooks: it verifies, drops repeats, keeps the newest state of each payment.

WEBHOOK_SECRET=whsec_... uvicorn examples.webhook_receiver:from_environment --factory --port 8001
"""

import os
import sqlite3
from pathlib import Path

from cloud_terminal_client import Event, InvalidSignature, WebhookVerifier
from fastapi import FastAPI, Request, Response

_TABLES = """
CREATE TABLE IF NOT EXISTS deliveries (id TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS payments (id TEXT PRIMARY KEY, order_id TEXT, state TEXT, sequence INTEGER);
"""


class Inbox:
    """The received: each delivery once, and the newest event of each payment."""

    def __init__(self, file: Path | str) -> None:
        self._connection = sqlite3.connect(file, check_same_thread=False)
        self._connection.executescript(_TABLES)

    def take(self, event: Event) -> bool:
        """Store an event; return False for one that was here before. Both tables change, or neither."""
        with self._connection:
            inserted = self._connection.execute(
                "INSERT INTO deliveries VALUES (?) ON CONFLICT DO NOTHING", (event.delivery_id,)
            )
            if inserted.rowcount and event.payment_id is not None:
                self._connection.execute(
                    "INSERT INTO payments VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE "
                    "SET state = excluded.state, sequence = excluded.sequence "
                    "WHERE excluded.sequence > payments.sequence",
                    (event.payment_id, event.order_id, event.state, event.sequence),
                )
        return bool(inserted.rowcount)

    def state(self, payment_id: str) -> str | None:
        row = self._connection.execute("SELECT state FROM payments WHERE id = ?", (payment_id,)).fetchone()
        return None if row is None else str(row[0])


def make_app(inbox: Inbox, verifier: WebhookVerifier) -> FastAPI:
    app = FastAPI(title="Webhook receiver")

    @app.post("/hooks/payments", status_code=204)
    async def receive(request: Request) -> Response:
        try:
            event = verifier.verify(request.headers, await request.body())
        except InvalidSignature:
            return Response(status_code=400)
        inbox.take(event)
        return Response(status_code=204)

    return app


def from_environment() -> FastAPI:
    """Return the application as the environment sets it; two secrets while one replaces another."""
    verifier = WebhookVerifier(*os.environ["WEBHOOK_SECRET"].split())
    return make_app(Inbox(Path(os.environ.get("INBOX_FILE", "inbox.db"))), verifier)
