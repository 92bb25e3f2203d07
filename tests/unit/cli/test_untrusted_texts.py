"""Texts of clients and users in what the command line prints and calls."""

import os
import pwd
import socket

import httpx
import pytest

from cli.process import fail
from cli.remote.client import path_of
from cli.remote.machine import machine_user
from cli.remote.output import Column, print_facts, print_rows

EVIL = ("\x1b[2J\x1b]52;c;eA==\x07", "\x9b31m", "a\r\nb", "\u202eabc", "a\u2028b")


@pytest.mark.parametrize("evil", EVIL)
def test_a_text_of_a_client_obeys_nothing_at_an_operators_terminal(
    evil: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An order's number is whatever its POS sent, a reason whatever an operator typed."""
    print_facts({"order": evil, "detail": {"by": evil}}, as_json=False)
    print_rows([{"order": evil}], [Column("order", "order")], as_json=False, nothing="")
    fail(evil, 1)

    printed = capsys.readouterr()
    assert all(line.isprintable() for line in (printed.out + printed.err).split("\n"))


def test_names_keep_their_accents_and_blanks(capsys: pytest.CaptureFixture[str]) -> None:
    """A no-break space, too."""
    print_facts({"name": "Caf\u00e9\u00a0du Canal"}, as_json=False)

    assert "Caf\u00e9\u00a0du Canal" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["https://[fe80::1]:8443", "[/nothing] was opened", "[bold]x"])
def test_an_error_is_printed_as_it_is(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Brackets are no markup: an address would lack its host, a closing one would end in a traceback."""
    fail(text, 1)

    assert text in capsys.readouterr().err


@pytest.mark.parametrize("typed", [".", "..", "../x", "a/b", "", "a.b"])
def test_what_a_user_typed_is_one_part_of_a_path(typed: str) -> None:
    """Also as the client of HTTP sends it."""
    path = path_of("v1", "payments", typed, "resolve")

    sent = httpx.Request("POST", f"https://127.0.0.1{path}").url.raw_path.decode()
    assert sent.count("/") == 4
    assert sent.startswith("/v1/payments/")
    assert sent.endswith("/resolve")


def test_the_audit_trail_names_the_user_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not whom the environment names."""
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(variable, "somebody-else")

    assert machine_user() == f"{pwd.getpwuid(os.getuid()).pw_name}@{socket.gethostname()}"


def test_a_container_whose_user_has_no_name_runs_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its number stands for it."""
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)

    assert machine_user() == f"4000000000@{socket.gethostname()}"
