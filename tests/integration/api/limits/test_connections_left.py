"""Orders whose storing hangs leave connections for everything else."""

import asyncio

from databases import Store
from payments import new_payment
from races.interleaving import open_transaction
from running.api_alone import api_alone

from shared.storage.payments import insertion

ORDERS = 24


async def test_orders_that_wait_for_another_transaction_leave_connections_for_the_others(
    postgres_store: Store,
) -> None:
    """Two thirds of a pool of ten at most; afterwards all of them are stored."""
    other = postgres_store.open()
    async with api_alone(postgres_store) as api:
        pos = await api.merchant()
        orders = [(f"127.0.1.{number}", f"order-{number}") for number in range(1, ORDERS + 1)]
        async with open_transaction(other) as tx:
            for host, order_id in orders:
                same = new_payment(
                    merchant_id=pos.merchant_id, order_id=order_id, host=host, terminal_address=f"{host}:8888"
                )
                await insertion.insert(tx, same, None)
            storing = [
                asyncio.create_task(pos.order_async(host, order_id=order_id)) for host, order_id in orders
            ]
            in_use = []
            for _ in range(100):
                await asyncio.sleep(0.005)
                in_use.append(api.database.connections_in_use)
            assert not any(task.done() for task in storing)
            assert api.database.connections_limit == 10
            assert 3 <= max(in_use[50:]) <= 7
            assert (await pos.get("/v1/payments")).status_code == 200

        assert len(set(await asyncio.gather(*storing))) == ORDERS
    await other.close()
