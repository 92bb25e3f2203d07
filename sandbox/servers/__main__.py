"""Command `python -m sandbox.servers -- COMMAND ...`, which runs a command beside the servers."""

import argparse
import os
import shutil
import signal
import subprocess
import sys

from sandbox.servers.server import AMQP_VARIABLE, KINDS, POSTGRES_VARIABLE, SOURCES, ServersUnavailable, say
from sandbox.servers.start import Servers, start_servers

UNAVAILABLE = 69  # sysexits.h: EX_UNAVAILABLE
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)

HELP = f"""
Finds or starts RabbitMQ and PostgreSQL, runs the command with their addresses in
{AMQP_VARIABLE} and {POSTGRES_VARIABLE}, and removes again what it started. Private
servers listen on 127.0.0.1, on free ports, with their data in a temporary folder.
"""
EXAMPLES = f"""
where a server comes from, in this order:
  external   the address in {AMQP_VARIABLE} or {POSTGRES_VARIABLE}, if set
  docker     a container, if an engine answers and the image is there or comes within 60 s
  installed  private processes from an installed rabbitmq-server and postgresql
  unpacked   private processes from Debian packages, fetched once into .cache/servers

examples:
  python -m sandbox.servers -- pytest -n 2
  python -m sandbox.servers --only postgres -- sh -c 'psql "${{{POSTGRES_VARIABLE}/+asyncpg/}}"'
  python -m sandbox.servers --from unpacked -- cloud-terminal all-in-one

exit status: the command's own; 128 + N if signal N ended it; {UNAVAILABLE} if no server could be had.
"""


def main() -> int:
    """Run the command line; return the exit status."""
    arguments = _arguments()
    try:
        servers = start_servers(
            rabbitmq=arguments.only != "postgres",
            postgres=arguments.only != "rabbitmq",
            sources=tuple(arguments.sources or SOURCES),
        )
    except ServersUnavailable as failure:
        say(str(failure))
        return UNAVAILABLE
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    with servers:
        return _run(arguments.command, _environment(servers, arguments.only))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.servers",
        usage="%(prog)s [--only SERVER] [--from SOURCE] -- COMMAND ...",
        description=HELP,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", choices=KINDS, help="leave out the other server")
    parser.add_argument(
        "--from",
        dest="sources",
        action="append",
        choices=SOURCES,
        help="try only this source; may be repeated",
    )
    parser.add_argument("command", nargs="+", metavar="COMMAND", help="the command and its arguments")
    return parser.parse_args()


def _environment(servers: Servers, only: str | None) -> dict[str, str]:
    environment = dict(os.environ)
    if only != "postgres":
        environment[AMQP_VARIABLE] = servers.amqp_url
    if only != "rabbitmq":
        environment[POSTGRES_VARIABLE] = servers.postgres_url
    return environment


def _run(command: list[str], environment: dict[str, str]) -> int:
    setpriv = shutil.which("setpriv")
    ends_with_us = [setpriv, "--pdeathsig", "TERM"] if setpriv else []
    if shutil.which(command[0]) is None:
        say(f"{command[0]}: command not found")
        return 127
    started: list[subprocess.Popen[bytes]] = []
    early: list[int] = []

    def forward(number: int, _frame: object) -> None:
        if not started:
            early.append(number)
        elif not (number in {signal.SIGINT, signal.SIGQUIT} and _has_the_terminal()):
            started[0].send_signal(number)

    for number in FORWARDED:
        signal.signal(number, forward)
    started.append(subprocess.Popen([*ends_with_us, *command], env=environment))
    for missed in early:
        started[0].send_signal(missed)
    status = started[0].wait()
    return status if status >= 0 else 128 - status


def _has_the_terminal() -> bool:
    """Return whether this process is in the terminal's foreground; then the command got the signal, too."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    finally:
        os.close(terminal)


if __name__ == "__main__":
    sys.exit(main())
