"""Options and lines of `cloud-terminal listen`."""

import pytest
from running.command import Command

from cli.listen.forwarding import Forwarded, SignatureCheck
from cli.listen.output import json_line, text_line

EVENT = {
    "type": "payment.succeeded",
    "event_id": "evt_1_1",
    "occurred_at": "2026-03-05T12:06:58.123Z",
    "order_id": "ORDER_3",
    "result": {"amount": 1250, "currency": "EUR"},
}


def test_a_line_has_the_event_the_answer_and_the_signature_check() -> None:
    """In this order."""
    line = text_line(7, Forwarded(EVENT, 204, None, 12, SignatureCheck.REFUSED, 401), is_replay=False)

    assert line.split() == [
        *("7", "12:06:58", "payment.succeeded", "ORDER_3", "12.50", "EUR", "->", "204", "in", "12", "ms"),
        *("signature", "checked:", "a", "forged", "copy", "got", "401"),
    ]


@pytest.mark.parametrize("evil", ["\x1b[2J\x1b]0;x\x07", "\x9b31m", "a\nb", "\u202eabc"])
def test_a_text_of_the_pos_obeys_nothing_at_the_terminal(evil: str) -> None:
    """Escape sequences, line ends and changes of direction are shown as marks."""
    event = {**EVENT, "order_id": evil}
    forwarded = Forwarded(event, None, evil, 1)

    assert text_line(1, forwarded, is_replay=False).isprintable()
    assert json_line(1, forwarded, is_replay=True).isprintable()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--forward-to", "localhost:3000"], "localhost:3000 is no address"),
        (["--forward-to", "http://localhost/", "--secret", "x"], "whsec_ and base64"),
        (["--forward-to", "http://localhost/", "--secret", "whsec_="], "whsec_ and base64"),
    ],
)
def test_a_wrong_option_is_a_sentence(options: list[str], said: str) -> None:
    """Before anything is asked for."""
    command = Command({"XDG_CONFIG_HOME": "/nowhere", "CT_USERNAME": "a", "CT_SECRET": "b"})

    assert said in command.run("listen", *options, "--url", "http://127.0.0.1:1", code=2).stderr
