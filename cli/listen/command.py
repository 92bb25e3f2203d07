"""Command `cloud-terminal listen`."""

from typing import Annotated, Final

import typer

from cli.remote.output import AsJson

SECRET_VARIABLE: Final = "CT_WEBHOOK_SECRET"  # noqa: S105  (a name)


def listen(
    forward_to: Annotated[str, typer.Option(metavar="URL", help="The receiver on your machine.")],
    secret: Annotated[
        str | None,
        typer.Option(
            envvar=SECRET_VARIABLE,
            help="Sign with this secret (whsec_...); by default with one that belongs to your credential.",
            show_default=False,
        ),
    ] = None,
    after: Annotated[
        str | None,
        typer.Option(
            metavar="CURSOR",
            help="Begin after this cursor of the feed; 0: at its first event.",
            show_default="now",
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--type", metavar="TYPE", help="Of this type only; may be repeated.", show_default=False
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            help="Send a copy of each event with a wrong signature first, which your server has to refuse. "
            "The first one that it accepts is the last one."
        ),
    ] = True,
    interval: Annotated[float, typer.Option(min=0.1, max=60, help="Seconds between readings.")] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Forward webhooks to your machine, as they come, and again by a key.

    For a machine that the API cannot reach: reads the merchant's feed of events.
    Each is signed as a webhook is, sent once, and shown with your server's answer.
    While it runs, r sends the last event again, a number and Enter that one, and q
    ends. No endpoint is registered; webhooks to others are not affected.
    """
    from cli.listen.listener import run_listener

    run_listener(
        forward_to,
        secret,
        after,
        frozenset(only or ()),
        checks=check,
        interval_seconds=interval,
        as_json=as_json,
    )
