"""A tiny run of a benchmark's part on real processes and servers."""

from bench.parts import rate
from bench.size import TINY
from bench.system import Servers


async def test_a_part_measures_rates_and_the_cpu_of_each_process(
    amqp_url: str, postgres_server_url: str
) -> None:
    """Payments go through API, worker and terminals of their own, in turns with bare requests."""
    rows = {row.name: row for row in await rate.measure(Servers(amqp_url, postgres_server_url), TINY)}

    (callers,) = TINY.concurrencies
    paid = rows[f"payments, {callers} callers"]
    assert paid.spread.least > 0
    assert paid.ratio is not None
    cpu = {name: row.spread.least for name, row in rows.items() if name.startswith("CPU")}
    measured = [f"CPU of a payment, {process}, {callers} callers" for process in ("API", "terminal worker")]
    assert all(cpu[name] > 0 for name in measured)
    assert cpu[f"CPU of a payment, all, {callers} callers"] >= sum(cpu[name] for name in measured)
