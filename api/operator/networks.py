"""Networks in which a merchant may drive terminals, as operators write them."""

from ipaddress import ip_network
from typing import Annotated, Final

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from shared.network.hosts import PUBLIC

NETWORKS_AT_MOST: Final = 200


def _network(text: str) -> str:
    try:
        network = ip_network(text)
    except ValueError:
        raise PydanticCustomError("format", "should be a network like 10.20.0.0/16") from None
    if network.prefixlen == 0:
        raise PydanticCustomError("format", "is every address: name the networks, or set any_public")
    return str(network)


#: CIDR; every public address is asked for by a field of its own.
Networks = Annotated[
    list[Annotated[str, Field(max_length=64), AfterValidator(_network)]], Field(max_length=NETWORKS_AT_MOST)
]


def stored_networks(networks: list[str], any_public: bool) -> tuple[str, ...]:
    """Return the networks as they are stored."""
    return (*dict.fromkeys(networks), *((PUBLIC,) if any_public else ()))


def shown_networks(stored: tuple[str, ...]) -> tuple[list[str], bool]:
    """Return the networks, and whether every public address is allowed beside them."""
    return [network for network in stored if network != PUBLIC], PUBLIC in stored
