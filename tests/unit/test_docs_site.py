"""The docs as a site: built strictly without a network, and nothing in it comes from outside."""

import re
import socket
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final

import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config

REPOSITORY: Final = Path(__file__).parents[2]
#: Attributes that a browser loads by itself.
LOADS: Final = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "object": "data",
    "link": "href",
}
HOW_TO: Final = REPOSITORY / "docs/how-to"
EXAMPLES: Final = "".join(
    path.read_text() for path in (REPOSITORY / "examples").rglob("*.py") if path.is_file()
)


class Loaded(HTMLParser):
    """Addresses that a page loads when it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        address = named.get(LOADS.get(tag, ""))
        if address and named.get("rel") != "canonical":
            self.addresses.append(address)
        self.ids.add(named.get("id") or "")


def refused(*_: Any) -> None:
    raise AssertionError("the build uses a network")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site; a warning, such as a link that leads nowhere, is an error."""
    place = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_MKDOCS_2_WARNING", "1")
        patch.setattr(socket.socket, "connect", refused)
        patch.setattr(socket, "getaddrinfo", refused)
        config = load_config(str(REPOSITORY / "mkdocs.yml"), site_dir=str(place), strict=True)
        build(config)
    return place


def test_every_page_is_in_the_site_and_loads_nothing_from_outside(site: Path) -> None:
    """No fonts, scripts or pictures of other hosts: the site works where there is no internet."""
    pages = list(site.rglob("*.html"))
    outside = []
    for page in pages:
        parser = Loaded()
        parser.feed(page.read_text(encoding="utf-8"))
        outside += [address for address in parser.addresses if re.match(r"(?:[a-z]+:)?//", address)]
    built = {page.relative_to(site).with_suffix("").as_posix() for page in pages}
    written = {
        path.relative_to(REPOSITORY / "docs").with_suffix("").as_posix()
        for path in (REPOSITORY / "docs").rglob("*.md")
    }

    assert outside == []
    assert written - built == set()
    assert {"how-to/python-client", "project/changelog", "reference/cli", "reference/http"} <= built
    assert {"examples/index", "examples/plain_pos.py", "examples/pos/app.py", "examples/pay.sh"} <= built


def test_lists_and_tables_are_drawn_as_such(site: Path) -> None:
    """Also those that follow a line of text, as GitHub allows."""
    page = (site / "operations/going-live.html").read_text(encoding="utf-8")

    assert not re.search(r"<p>[^<]*\n[-|] ", page)


@pytest.mark.parametrize(
    "page", sorted((REPOSITORY / "docs/how-to").glob("*.md")), ids=lambda page: page.name
)
def test_the_code_of_a_guide_is_code_of_the_examples(page: Path) -> None:
    """The examples are run by the tests, so the guides' code is, too."""
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)

    assert [block for block in blocks if block not in EXAMPLES] == []
