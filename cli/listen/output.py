"""Lines of the command: an event, the receiver's answer, and the check of its signature check."""

import json
from collections.abc import Iterable
from typing import Any, Final

from cli.listen.forwarding import Forwarded, SignatureCheck
from cli.process import printable
from cli.remote.output import euros

_CHECKS: Final = {
    SignatureCheck.REFUSED: "signature checked: a forged copy got {status}",
    SignatureCheck.ACCEPTED: "SIGNATURE NOT CHECKED: a forged copy got {status}",
    SignatureCheck.UNCLEAR: "signature check unclear: a forged copy got {status}",
    SignatureCheck.NOT_CHECKED: "signed",
}


def text_line(number: int, forwarded: Forwarded, *, is_replay: bool) -> str:
    """Return one forwarded event for people."""
    event = forwarded.event
    result: dict[str, Any] = event.get("result", {})
    parts: Iterable[str] = (
        f"{number:>4}",
        str(event["occurred_at"])[11:19],
        f"{event['type']:<21}",
        str(event.get("order_id", "")),
        euros(result.get("amount"), str(result.get("currency", ""))),
        f"-> {forwarded.error or f'{forwarded.status} in {forwarded.duration_ms} ms'}",
        "again" if is_replay else _CHECKS[forwarded.check].format(status=forwarded.forged_status),
    )
    # Texts of a POS may hold what a terminal obeys.
    return printable("  ".join(part for part in parts if part))


def json_line(number: int, forwarded: Forwarded, *, is_replay: bool) -> str:
    """Return one forwarded event as JSON."""
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


def print_beginning(forward_to: str, secret: str, *, as_json: bool) -> None:
    """Print what the command does, and the secret that signs."""
    if as_json:
        print(json.dumps({"listening": True, "forward_to": forward_to, "secret": secret}), flush=True)
        return
    print(f"New events are forwarded to {forward_to}, signed with\n\n    {secret}\n", flush=True)
    print("r: send the last one again; NUMBER Enter: that one; q: end.\n", flush=True)
