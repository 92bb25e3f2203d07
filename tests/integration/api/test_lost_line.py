"""A database that lost a terminal's row, by a restored backup say, is mended by the next payment."""

from api_alone import api_alone
from databases import Store
from payments import change


async def test_the_next_payment_makes_the_terminals_row_again(store: Store) -> None:
    """Also in a process that has used the terminal before: without the row no worker could ever claim it."""
    async with api_alone(store) as api:
        till = await api.merchant()
        await till.order_async()
        await change(api.database, "DELETE FROM terminal_locks")

        await api.claim(await till.order_async())
