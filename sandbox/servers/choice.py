"""What can be asked for: which servers, and from where. Light to import, for the side that only asks."""

from typing import Literal, get_args

Kind = Literal["rabbitmq", "postgres"]
KINDS: tuple[Kind, ...] = get_args(Kind)

Source = Literal["given", "docker", "installed", "unpacked"]
SOURCES: tuple[Source, ...] = get_args(Source)
"""The order in which they are tried."""
PRIVATE_SOURCES: tuple[Source, ...] = ("docker", "installed", "unpacked")
"""Those that start a server nobody else uses, one that may be killed."""

AMQP_VARIABLE = "TEST_AMQP_URL"
POSTGRES_VARIABLE = "TEST_POSTGRES_URL"
