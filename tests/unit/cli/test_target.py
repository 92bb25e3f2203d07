"""The API that a verb calls: options, environment and profiles."""

from pathlib import Path

import pytest

from cli.remote.target import Machine, Remote, Target, TargetRefused, choose_target
from cli.verbs import TargetOptions

CONFIG = """
default = "shop"

[profiles.shop]
url = "https://127.0.0.1:8443/"
username = "ct_1"
secret = "of-the-shop"

[profiles.keyless]
url = "https://127.0.0.1:8443"
username = "ct_2"
secret_file = "{folder}/secret"
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Return the environment of an operator with a configuration file."""
    folder = tmp_path / "cloud-terminal"
    folder.mkdir()
    (tmp_path / "secret").write_text("of-a-file\n")
    file = folder / "config.toml"
    file.write_text(CONFIG.format(folder=tmp_path))
    file.chmod(0o600)
    return {"XDG_CONFIG_HOME": str(tmp_path)}


def chosen(environ: dict[str, str], **options: str) -> Target:
    return choose_target(TargetOptions(**options), environ)


def test_a_profile_is_the_one_that_is_named_else_the_default(environ: dict[str, str]) -> None:
    """By option, then by environment, then by the file; a secret may stand in a file of its own."""
    shop = Remote("https://127.0.0.1:8443", "ct_1", "of-the-shop")

    assert chosen(environ) == chosen(environ, profile="shop") == shop
    assert chosen(environ, profile="keyless") == Remote("https://127.0.0.1:8443", "ct_2", "of-a-file")
    assert chosen({**environ, "CT_PROFILE": "keyless"}, profile="shop") == shop
    assert chosen({**environ, "CT_PROFILE": "keyless"}) != shop
    assert "of-the-shop" not in repr(shop)


def test_without_a_profile_it_is_this_machine(environ: dict[str, str], tmp_path: Path) -> None:
    """Also where one is the default and the machine is named."""
    nothing = {"XDG_CONFIG_HOME": str(tmp_path / "none")}

    assert chosen(nothing) == Machine(None)
    assert chosen(nothing, merchant="mer_1") == Machine("mer_1")
    assert chosen({**environ, "CT_URL": "https://127.0.0.1"}, profile="machine") == Machine(None)


def test_an_address_alone_takes_its_credential_from_the_environment() -> None:
    """A secret never stands on the command line, where other users see it."""
    login = {"XDG_CONFIG_HOME": "/nowhere", "CT_USERNAME": "ct_3", "CT_SECRET": "s"}
    remote = Remote("http://localhost:8080", "ct_3", "s")

    assert chosen(login, url="http://localhost:8080") == remote
    assert chosen({**login, "CT_URL": "http://localhost:8080"}) == remote
    with pytest.raises(TargetRefused, match="CT_SECRET"):
        chosen({"XDG_CONFIG_HOME": "/nowhere"}, url="http://localhost:8080")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"profile": "unknown"}, "known: keyless, shop"),
        ({"url": "http://203.0.113.9"}, "in clear"),
        ({"url": "127.0.0.1:8080"}, "write https://HOST"),
        ({"merchant": "mer_1"}, "--as-merchant"),
    ],
)
def test_what_cannot_be_used_says_what_to_change(
    environ: dict[str, str], options: dict[str, str], says: str
) -> None:
    """An unknown profile, a secret in clear, no address, a merchant by an operator's credential."""
    with pytest.raises(TargetRefused, match=says):
        chosen({**environ, "CT_USERNAME": "u", "CT_SECRET": "s"}, **options)


def test_a_file_with_secrets_that_others_may_read_is_refused(environ: dict[str, str]) -> None:
    """As by ssh."""
    file = Path(environ["XDG_CONFIG_HOME"]) / "cloud-terminal" / "config.toml"
    file.chmod(0o644)

    with pytest.raises(TargetRefused, match="chmod 600"):
        chosen(environ)
