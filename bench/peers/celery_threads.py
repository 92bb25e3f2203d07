"""Celery with threads over RabbitMQ: `python -m bench.peers.celery_threads (answer|ask) AMQP_URL QUEUE`.

A durable quorum queue, persistent messages, publisher confirms and late acknowledgements, as in a bare
request; threads wait for the results of the backend `rpc`.
"""

import json
import statistics
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from celery import Celery
from celery.worker.consumer import Consumer

THREADS: Final = 64
MOST_CALLERS: Final = 256
ANSWER_SECONDS: Final = 60.0


class LeanConsumer(Consumer):
    """Celery's consumer without the 28 queues that delay messages: nothing is delayed here."""

    class Blueprint(Consumer.Blueprint):
        """The steps of its start."""

        default_steps = tuple(step for step in Consumer.Blueprint.default_steps if "delayed" not in str(step))


def app_of(amqp_url: str, queue: str) -> Celery:
    app = Celery("bench", broker=amqp_url.replace("amqp://", "pyamqp://"), backend="rpc://")
    app.conf.update(
        task_default_queue=queue,
        task_default_queue_type="quorum",
        task_acks_late=True,
        broker_transport_options={"confirm_publish": True},
        worker_detect_quorum_queues=True,
        worker_consumer=LeanConsumer,
        worker_enable_remote_control=False,
        worker_prefetch_multiplier=4,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
    )

    @app.task(name="echo")
    def echo(body: str) -> str:
        return body

    return app


def answer(app: Celery) -> None:
    app.worker_main(
        [
            "--quiet",
            "worker",
            "--pool=threads",
            f"--concurrency={THREADS}",
            "--loglevel=CRITICAL",
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
        ]
    )


def ask(app: Celery, queue: str) -> None:
    """Serve slices of callers until the input ends; then delete the queue."""
    echo, body = app.tasks["echo"], "x" * 700
    # Threads live on: a new one with the number of an ended one would share its reply queue and lose replies.
    pool = ThreadPoolExecutor(MOST_CALLERS)
    for line in sys.stdin:
        callers, seconds = int(line.split()[0]), float(line.split()[1])
        times: list[float] = []
        start = threading.Barrier(callers + 1)

        def go_round(begin: threading.Barrier, ends_after: float, found: list[float]) -> None:
            begin.wait()
            begun = time.perf_counter()
            while True:
                asked = time.perf_counter()
                echo.delay(body).get(timeout=ANSWER_SECONDS)
                now = time.perf_counter()
                found.append(now - asked)
                if now - begun >= ends_after:
                    return

        rounds = [pool.submit(go_round, start, seconds, times) for _ in range(callers)]
        start.wait()
        begun = time.perf_counter()
        for done in rounds:
            done.result()
        took = time.perf_counter() - begun
        found = {"answers": len(times), "seconds": took, "p50_ms": statistics.median(times) * 1000}
        print(json.dumps(found), flush=True)
    with app.connection_for_write() as connection:
        channel = connection.default_channel
        channel.queue_delete(queue)
        channel.exchange_delete(queue)


def main(verb: str, amqp_url: str, queue: str) -> None:
    app = app_of(amqp_url, queue)
    if verb == "answer":
        answer(app)
    else:
        ask(app, queue)


if __name__ == "__main__":
    main(*sys.argv[1:])
