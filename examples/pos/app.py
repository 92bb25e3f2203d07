"""A small cash register: FastAPI, one page, one counter.

    CT_URL=https://pay.example.com CT_USERNAME=... CT_SECRET=... \
      uvicorn examples.pos.app:from_environment --factory --port 8000

Kill it in the middle of a sale and start it again: the sale ends as it really ended.
"""

import asyncio
import html
import os
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from cloud_terminal_client import AsyncCloudTerminal
from fastapi import Body, FastAPI, HTTPException
from fastapi.responses import HTMLResponse
from pydantic import Field

from examples.pos.paying import Counter
from examples.pos.sales import Sale, Sales

Amount = Annotated[int, Body(embed=True), Field(ge=1, le=999_999_999)]


class Background:
    """Sales that are being paid while requests come and go."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def stop(self) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)


def make_app(api: AsyncCloudTerminal, sales: Sales, counter: Counter) -> FastAPI:
    """Return the application; at its start it resumes the sales that were running when it ended."""
    background = Background()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        for sale in sales.unfinished():
            background.start(counter.resume(sale))
        yield
        await background.stop()
        await api.close()

    app = FastAPI(title="Cash register", lifespan=lifespan)

    @app.get("/", response_class=HTMLResponse)
    async def page() -> str:
        return page_of(sales.all())

    @app.post("/sales", status_code=201)
    async def sell(amount_cents: Amount) -> Sale:
        sale = sales.new(amount_cents)
        background.start(counter.pay(sale))
        return sale

    @app.get("/sales/{number}")
    async def look(number: int) -> Sale:
        return found(sales, number)

    @app.post("/sales/{number}/pay", status_code=202)
    async def pay_again(number: int) -> Sale:
        sale = found(sales, number)
        if sale.state != "not_paid":
            raise HTTPException(409, f"The sale is {sale.state}.")
        background.start(counter.pay(sale))
        return sale

    return app


def found(sales: Sales, number: int) -> Sale:
    try:
        return sales.get(number)
    except KeyError:
        raise HTTPException(404) from None


def page_of(sales: list[Sale]) -> str:
    rows = "".join(
        f"<tr><td>{sale.number}<td>{sale.amount_cents / 100:.2f}<td>{sale.state}"
        f"<td>{html.escape(sale.message)}"
        for sale in sales
    )
    return f"<!doctype html><meta http-equiv=refresh content=2><title>Sales</title><table>{rows}</table>"


def from_environment() -> FastAPI:
    """Return the application as the environment sets it."""
    variables = ("CT_URL", "CT_USERNAME", "CT_SECRET")
    api = AsyncCloudTerminal(*(os.environ[name] for name in variables))
    sales = Sales(Path(os.environ.get("SALES_FILE", "sales.db")))
    return make_app(api, sales, Counter(api, sales, os.environ.get("TERMINAL", "counter-1")))
