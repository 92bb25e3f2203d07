"""The command: reads the feed, forwards each event, shows the answers, and sends events again by a key."""

import json
import os
import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import httpx
import typer
from standardwebhooks import Webhook

from cli.listen.feed import Feed
from cli.listen.forwarding import TIMEOUT_SECONDS, Forwarded, Forwarder, SignatureCheck, secret_for
from cli.listen.keys import Keys, Quit, pressed_keys
from cli.process import EXIT_USAGE, fail
from cli.remote.client import api
from cli.remote.output import AsJson, euros
from cli.remote.target import Remote, choose_target
from cli.verbs import given_options

SECRET_VARIABLE: Final = "CT_WEBHOOK_SECRET"  # noqa: S105  (a name)
_SECRET: Final = re.compile("whsec_[A-Za-z0-9+/]+=*")
#: Events that a number can name; older ones are in the feed.
_KEPT: Final = 1000
_CHECKS: Final = {
    SignatureCheck.REFUSED: "signature checked: a forged copy got {status}",
    SignatureCheck.ACCEPTED: "SIGNATURE NOT CHECKED: a forged copy got {status}",
    SignatureCheck.UNCLEAR: "signature check unclear: a forged copy got {status}",
    SignatureCheck.NOT_CHECKED: "signed",
}


@dataclass(frozen=True, slots=True)
class _Shown:
    number: int
    event: dict[str, Any]


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
    """Forward webhooks to your machine, which the API cannot reach: the events of the merchant's feed.

    Each is signed as a webhook is, sent once and shown with your server's answer. While it runs, `r` sends
    the last event again, a number and Enter that one, `q` ends. No endpoint is registered, and webhooks to
    others are not affected.
    """
    _check_address(forward_to)
    with api() as calls, pressed_keys() as keys:
        signing_secret = _secret_of_credential() if secret is None else _checked_secret(secret)
        with httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False, follow_redirects=False) as client:
            forwarder = Forwarder(client, forward_to, signing_secret, checks=check, random_bytes=os.urandom)
            feed = Feed(calls, interval, after)
            if after is None:
                feed.skip_to_end()
            _print_beginning(forward_to, signing_secret, as_json=as_json)
            try:
                _Listener(feed, forwarder, keys, frozenset(only or ()), as_json=as_json).run()
            except KeyboardInterrupt:
                return


class _Listener:
    """Loop of readings and keys; events are numbered from 1 in the order in which they come."""

    def __init__(
        self, feed: Feed, forwarder: Forwarder, keys: Keys, types: frozenset[str], *, as_json: bool
    ) -> None:
        self._feed: Final = feed
        self._forwarder: Final = forwarder
        self._keys: Final = keys
        self._types: Final = types
        self._as_json: Final = as_json
        self._shown: Final[deque[_Shown]] = deque(maxlen=_KEPT)
        self._count = 0

    def run(self) -> None:
        """Forward events until `q` is pressed."""
        while True:
            for event in self._feed.read():
                if not self._types or event["type"] in self._types:
                    self._count += 1
                    self._shown.append(_Shown(self._count, event))
                    self._print(self._count, self._forwarder.forward(event))
            for pressed in self._keys.wait(self._feed.pause_seconds):
                if isinstance(pressed, Quit):
                    return
                self._replay(self._chosen(pressed.number))

    def _chosen(self, number: int | None) -> _Shown | None:
        if number is None:
            return self._shown[-1] if self._shown else None
        return next((one for one in self._shown if one.number == number), None)

    def _replay(self, chosen: _Shown | None) -> None:
        if chosen is None:
            if not self._as_json:
                print("There is no such event.", flush=True)
            return
        self._print(chosen.number, self._forwarder.again(chosen.event), is_replay=True)

    def _print(self, number: int, forwarded: Forwarded, *, is_replay: bool = False) -> None:
        line = _json_line if self._as_json else _line
        print(line(number, forwarded, is_replay=is_replay), flush=True)


def _line(number: int, forwarded: Forwarded, *, is_replay: bool) -> str:
    event = forwarded.event
    parts: Iterable[str] = (
        f"{number:>4}",
        str(event["occurred_at"])[11:19],
        f"{event['type']:<21}",
        str(event.get("order_id", "")),
        euros(event.get("amount"), str(event.get("currency", ""))),
        f"-> {forwarded.error or f'{forwarded.status} in {forwarded.duration_ms} ms'}",
        "again" if is_replay else _CHECKS[forwarded.check].format(status=forwarded.forged_status),
    )
    # Texts of a POS may hold what a terminal obeys.
    return "".join(one if one.isprintable() else "?" for one in "  ".join(part for part in parts if part))


def _json_line(number: int, forwarded: Forwarded, *, is_replay: bool) -> str:
    return json.dumps(
        {
            "number": number,
            "replay": is_replay,
            "event": forwarded.event,
            "status": forwarded.status,
            "error": forwarded.error,
            "duration_ms": forwarded.duration_ms,
            "signature_check": forwarded.check,
            "forged_status": forwarded.forged_status,
        }
    )


def _print_beginning(forward_to: str, secret: str, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"listening": True, "forward_to": forward_to, "secret": secret}), flush=True)
        return
    print(f"New events are forwarded to {forward_to}, signed with\n\n    {secret}\n", flush=True)
    print("r: send the last one again; NUMBER Enter: that one; q: end.\n", flush=True)


def _check_address(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise fail(f"{url} is no address: write http://localhost:PORT/PATH.", EXIT_USAGE)


def _checked_secret(secret: str) -> str:
    try:
        if not _SECRET.fullmatch(secret):
            raise ValueError(secret)
        Webhook(secret)
    except ValueError as error:
        raise fail("The secret is none of a webhook endpoint: whsec_ and base64.", EXIT_USAGE) from error
    return secret


def _secret_of_credential() -> str:
    target = choose_target(given_options.get())
    if isinstance(target, Remote):
        return secret_for(target.secret)
    raise fail(f"On the machine with the database name a --secret, or set {SECRET_VARIABLE}.", EXIT_USAGE)
