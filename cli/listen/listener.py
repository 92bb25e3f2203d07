"""Loop of the command: reads the feed, forwards each event, and sends events again by a key."""

import os
import re
from collections import deque
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from standardwebhooks import Webhook

from cli.listen.command import SECRET_VARIABLE
from cli.listen.feed import Feed
from cli.listen.forwarding import TIMEOUT_SECONDS, Forwarded, Forwarder, secret_for
from cli.listen.keys import Keys, Quit, pressed_keys
from cli.listen.output import json_line, print_beginning, text_line
from cli.process import EXIT_USAGE, fail
from cli.remote.client import api
from cli.remote.target import Remote, choose_target
from cli.verbs import given_options

_SECRET: Final = re.compile("whsec_[A-Za-z0-9+/]+=*")
#: Events that a number can name; older ones are in the feed.
_KEPT: Final = 1000


def run_listener(
    forward_to: str,
    secret: str | None,
    after: str | None,
    types: frozenset[str],
    *,
    checks: bool,
    interval_seconds: float,
    as_json: bool,
) -> None:
    """Forward events of the types, of all where none is given, until `q` or Ctrl-C. Raises typer.Exit."""
    _check_address(forward_to)
    given_secret = None if secret is None else _checked_secret(secret)
    with (
        api() as calls,
        pressed_keys() as keys,
        httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False, follow_redirects=False) as client,
    ):
        signing_secret = given_secret or _secret_of_credential()
        forwarder = Forwarder(client, forward_to, signing_secret, checks=checks, random_bytes=os.urandom)
        feed = Feed(calls, interval_seconds, after)
        try:
            if after is None:
                feed.skip_to_end()
            print_beginning(forward_to, signing_secret, as_json=as_json)
            _Listener(feed, forwarder, keys, types, as_json=as_json).run()
        except KeyboardInterrupt:
            return


@dataclass(frozen=True, slots=True)
class _Shown:
    number: int
    event: dict[str, Any]


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
        line = json_line if self._as_json else text_line
        print(line(number, forwarded, is_replay=is_replay), flush=True)


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
