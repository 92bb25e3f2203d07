"""Command `cloud-terminal sandbox`: the API and all systems around it, on this machine or in containers."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

PortBase = Annotated[
    int,
    typer.Option(
        min=0,
        max=65_000,
        help="First of five ports for pages: terminal's screen, register, flow, Console, merchant; Preludd, "
        "Nepting, acquirer and issuer are 11 to 14 above it. 0: free ones.",
    ),
]
TerminalPort = Annotated[int, typer.Option(min=0, max=65_535, help="The terminal's port. 0: a free one.")]
Terminals = Annotated[
    int,
    typer.Option(
        min=1,
        max=7,
        help="Number of terminals: `counter-1` and so on, on the next ports; the second's screen is 5 above "
        "--port-base.",
    ),
]
Delay = Annotated[
    float, typer.Option(min=0, max=3600, help="Seconds until the terminal's customer presents a card.")
]
ByHand = Annotated[bool, typer.Option("--by-hand", help="You present the cards, on the terminal's page.")]
CollectEvery = Annotated[
    float | None, typer.Option(min=1, help="Seconds between remote collections; by default only on the page.")
]
Called = Annotated[str, typer.Option(help="The host name by which API and workers reach the sandbox.")]

#: Networks of other containers: loopback and the private ranges.
CONTAINER_NETWORKS: Final = ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")


def run_sandbox(
    context: typer.Context,
    keep: Annotated[
        Path | None,
        typer.Option(help="A folder to keep database, credentials and logs in; by default a temporary one."),
    ] = None,
    api_port: Annotated[int, typer.Option(min=0, max=65_535, help="The API's port. 0: a free one.")] = 8080,
    port_base: PortBase = 8900,
    terminal_port: TerminalPort = 8888,
    terminals: Terminals = 1,
    delay: Delay = 3.0,
    by_hand: ByHand = False,
    collect_every: CollectEvery = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print addresses and credentials as one JSON line when all is ready."),
    ] = False,
) -> None:
    """Run everything on this machine: API, workers, terminal, register, gateway, banks, HiPay, shop.

    Uses the RabbitMQ of CLOUD_TERMINAL_AMQP_URL, else starts a private one, and
    SQLite. Everything listens on loopback, cards are test cards. Ctrl-C ends all.
    """
    if context.invoked_subcommand is not None:
        return
    import asyncio

    from cli.process import EXIT_UNAVAILABLE, EXIT_USAGE, fail, plain_errors, run_on_loop
    from sandbox.main import TerminalSetup
    from sandbox.run.cloud_api import ApiAnswered
    from sandbox.run.installation import Installation, Running, entry_line
    from sandbox.run.places import Ports
    from sandbox.run.shop import ShopUnreadable
    from sandbox.servers.server import ServersUnavailable
    from sandbox.terminal.gateway.collection import Schedule
    from shared.runtime.processes import ProcessFailed

    collects = Schedule(every_seconds=collect_every)
    setup = TerminalSetup(delay_seconds=delay, by_hand=by_hand, collects=collects)
    ports = Ports(base=port_base, terminal=terminal_port, terminals=terminals)

    async def show_until_stopped(running: Running) -> None:
        if as_json:
            print(entry_line(running.entry), flush=True)
        else:
            _show(running.entry, keep)
        await asyncio.Event().wait()

    try:
        with plain_errors(), _folder(keep) as folder, _broker() as amqp_url:
            installation = Installation(folder, amqp_url, api_port)
            run_on_loop(installation.run(ports, setup, show_until_stopped), uvloop=True)
    except (ServersUnavailable, ProcessFailed) as error:
        raise fail(str(error), EXIT_UNAVAILABLE) from error
    except (ShopUnreadable, ApiAnswered) as error:
        raise fail(str(error), EXIT_USAGE) from error


def prepare(
    folder: Annotated[
        Path, typer.Argument(help="Folder for shop.json, and sandbox.env with settings for API and workers.")
    ],
    called: Called = "sandbox",
    port_base: PortBase = 8900,
) -> None:
    """Create the sandbox's merchant in the installation's database, for a sandbox in a container.

    Existing files in the folder are kept. Start API and workers with the settings
    of sandbox.env.
    """
    from cli.process import EXIT_USAGE, fail, plain_errors, run_on_loop
    from sandbox.run.places import Ports
    from sandbox.run.shop import (
        ShopUnreadable,
        keep_settings,
        keep_shop,
        kept_shop,
        make_shop,
        settings_for,
    )
    from shared.runtime.clock import SystemClock
    from shared.settings.load import load_settings

    if port_base == 0:
        raise fail("--port-base: a container needs fixed ports, so not 0.", EXIT_USAGE)
    with plain_errors():
        try:
            shop = kept_shop(folder)
        except ShopUnreadable as error:
            raise fail(str(error), EXIT_USAGE) from error
        if shop is None:
            shop = run_on_loop(
                make_shop(load_settings(), CONTAINER_NETWORKS, clock=SystemClock(), random_bytes=os.urandom)
            )
            folder.mkdir(parents=True, exist_ok=True)
            keep_shop(shop, folder)
    hipay_url, merchant_url = (
        f"http://{called}:{Ports(base=port_base).of(system)}" for system in ("console", "merchant")
    )
    keep_settings(settings_for(shop, hipay_url, merchant_url), folder)


def serve(
    folder: Annotated[Path, typer.Argument(help="The folder of `sandbox prepare`.")],
    api_url: Annotated[str, typer.Option(help="The API's URL, without a slash at its end.")],
    host: Annotated[str, typer.Option(help="Address that everything listens on; 0.0.0.0 in a container.")] = (
        "127.0.0.1"
    ),
    called: Called = "sandbox",
    shown_api_url: Annotated[
        str | None, typer.Option(help="The API's URL to show, where --api-url is for containers only.")
    ] = None,
    shown_host: Annotated[
        str | None, typer.Option(help="The terminal's host to show, where --called is for containers only.")
    ] = None,
    port_base: PortBase = 8900,
    terminal_port: TerminalPort = 8888,
    terminals: Terminals = 1,
    delay: Delay = 3.0,
    by_hand: ByHand = False,
    collect_every: CollectEvery = None,
) -> None:
    """Run the systems around an API in another container, until SIGTERM.

    Publish the ports under the same numbers.
    """
    from cli.process import EXIT_USAGE, fail, plain_errors, run_on_loop
    from sandbox.main import TerminalSetup
    from sandbox.run.alone import serve_alone
    from sandbox.run.cloud_api import ApiAnswered
    from sandbox.run.places import Ports
    from sandbox.run.shop import ShopUnreadable, kept_shop
    from sandbox.terminal.gateway.collection import Schedule

    collects = Schedule(every_seconds=collect_every)
    setup = TerminalSetup(delay_seconds=delay, by_hand=by_hand, collects=collects)
    ports = Ports(base=port_base, terminal=terminal_port, terminals=terminals)
    try:
        shop = kept_shop(folder)
        if shop is None:
            raise fail(
                f"{folder} contains no shop.json: run `cloud-terminal sandbox prepare` first.", EXIT_USAGE
            )
        with plain_errors():
            serving = serve_alone(
                host,
                called,
                ports,
                shop,
                api_url,
                setup,
                lambda entry: _show(entry, None),
                shown_api_url=shown_api_url or api_url,
                shown_host=shown_host or called,
            )
            run_on_loop(serving, uvloop=True)
    except (ShopUnreadable, ApiAnswered) as error:
        raise fail(str(error), EXIT_USAGE) from error


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="cloud-terminal-sandbox-") as made:
        yield Path(made)


@contextmanager
def _broker() -> Iterator[str]:
    from sandbox.servers.start import start_servers
    from shared.settings.load import load_settings

    given = load_settings().amqp_url
    if given is not None:
        yield given.get_secret_value()
        return
    with start_servers(postgres=False) as servers:
        yield servers.amqp_url


def _show(entry: Mapping[str, str], keep: Path | None) -> None:
    from rich.console import Console
    from rich.table import Table

    from cli.remote.target import LOGIN_VARIABLES, URL_VARIABLE
    from sandbox.run.places import PAGES

    console = Console(highlight=False)
    pages = Table(box=None, pad_edge=False, show_header=False)
    for system, (title, what) in PAGES.items():
        pages.add_row(f"[bold]{title}[/bold]", entry[system] + "/", what)
    pages.add_row("[bold]API[/bold]", entry["api"] + "/docs", "as any ECR client sees it")
    console.print("\nThe sandbox is running. Pages:\n")
    console.print(pages)
    facts = Table(box=None, pad_edge=False, show_header=False)
    for name, value in (
        ("HTTP Basic", f"{entry['username']}:{entry['password']}"),
        *_terminals(entry),
        ("Gateway", entry["preludd"]),
        ("Banks", f"Nepting {entry['nepting']}, acquirer {entry['acquirer']}, issuer {entry['issuer']}"),
    ):
        facts.add_row(name, value)
    console.print("\nFor programs:\n")
    console.print(facts, soft_wrap=True)
    console.print("\nFor the shell from which you pay:\n")
    for variable, value in zip(
        (URL_VARIABLE, *LOGIN_VARIABLES), ("api", "username", "password"), strict=True
    ):
        console.print(f"export {variable}={entry[value]}", soft_wrap=True)
    kept = "" if keep is None else f" Database, credentials and logs stay in {keep}."
    console.print(f"\nCtrl-C ends all.{kept}\n")


def _terminals(entry: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield title and facts of each terminal; the second's names end in `_2`."""
    for name in (name for name in entry if name.startswith("terminal_id")):
        suffix = name.removeprefix("terminal_id")
        address, screen = entry[f"terminal{suffix}"], entry[f"screen{suffix}"]
        title = f"Terminal {suffix.removeprefix('_')}".rstrip()
        yield title, f"{address} (Concert V3.1, V3.2), registered as {entry[name]}, screen {screen}/"
