"""Command `cloud-terminal broker-definitions`."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer


def print_definitions(
    passwords: Annotated[
        Path,
        typer.Argument(
            help="Folder with rabbitmq-password (the owner's), rabbitmq-api-password, "
            "rabbitmq-terminal-password and rabbitmq-notifier-password.",
            exists=True,
            file_okay=False,
        ),
    ],
) -> None:
    """Print RabbitMQ's definitions: an account for each kind of process, and the queues.

    RabbitMQ reads them at its start from the file of its setting
    `load_definitions`. They contain hashes instead of passwords.
    """
    from cli.process import EXIT_USAGE, fail, plain_errors
    from shared.broker.accounts import OWNER, definitions, permissions
    from shared.broker.connections import topology_of
    from shared.settings.load import load_settings

    with plain_errors():
        topology = topology_of(load_settings())
    files = {name: f"rabbitmq-{name.rpartition('_')[2]}-password" for name in permissions(topology)}
    files[OWNER] = "rabbitmq-password"
    try:
        secrets = {name: (passwords / file).read_text().strip() for name, file in files.items()}
    except OSError as error:
        raise fail(f"{error.filename}: {error.strerror}.", EXIT_USAGE) from error
    print(json.dumps(definitions(topology, secrets, os.urandom), indent=1))
