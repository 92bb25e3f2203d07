"""The documentation names what exists: files, pages, headings, commands."""

import re
from pathlib import Path
from typing import Final

import pytest
from running.printed_commands import steps_of
from typer.main import get_command

from cli.main import app
from tests.compose.handbook import DRILL, HANDBOOK, section

REPOSITORY: Final = Path(__file__).parents[2]
PACKAGES: Final = ("api", "terminal_worker", "notifier_worker", "shared", "cli", "sandbox", "tests")
PAGES: Final = sorted(
    path.relative_to(REPOSITORY).as_posix()
    for path in (
        *REPOSITORY.glob("*.md"),
        *REPOSITORY.glob("docs/**/*.md"),
        *REPOSITORY.glob("bench/*.md"),
        *REPOSITORY.glob("clients/*.md"),
        *REPOSITORY.glob("clients/*/*.md"),
        *REPOSITORY.glob("examples/*.md"),
    )
)
#: In code on operators' pages, beside log events.
COMMANDS: Final = (
    "docker ",
    "git ",
    "make ",
    "cloud-terminal ",
    "merchants ",
    "onboard ",
    "terminals ",
    "workers ",
    "payments ",
    "webhooks ",
    "events ",
    "credentials ",
    "systemctl ",
    "systemd-analyze ",
    "apt-get ",
    "kubectl ",
)
#: Names of modules, wherever they are.
MODULES: Final = {path.name for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py")}
CODE: Final = re.compile(r"`([^`\n]+)`")
FENCE: Final = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
#: Lines of Python in a page, at any indentation.
QUOTE: Final = re.compile(r"^ *```python\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
#: A file or folder as the repository's pages name it.
NAMED: Final = re.compile(r"(?:[\w.-]+/)*[\w.-]+\.(?:py|md|yaml|toml|json)|(?:[\w.-]+/)+")


def text_of(page: str) -> str:
    return (REPOSITORY / page).read_text(encoding="utf-8")


def named_in(line: str) -> list[str]:
    return [span for span in CODE.findall(line) if NAMED.fullmatch(span)]


def below(folder: str, name: str) -> bool:
    return "/" not in name and any((REPOSITORY / folder).rglob(name))


def exists(name: str, folders: list[str]) -> bool:
    """Look for a name from the root on, below the line's folders and beside them; in a line without folders,
    anywhere."""
    beside = [Path(folder).parent for folder in folders]
    places = [
        Path(),
        *map(Path, folders),
        *beside,
        *(above / folder for above in beside for folder in folders),
    ]
    anywhere = name in MODULES if not folders else any(below(folder, name) for folder in folders)
    return anywhere or any((REPOSITORY / place / name).exists() for place in places)


@pytest.mark.parametrize("page", ["docs/architecture.md", "docs/glossary.md", "README.md", "CONTRIBUTING.md"])
def test_every_file_that_is_named_exists(page: str) -> None:
    """A renamed module is renamed in the pages that lead to it."""
    missing = []
    for line in FENCE.sub("", text_of(page)).splitlines():
        names = named_in(line)
        folders = [name for name in names if name.endswith("/")]
        missing += [name for name in names if not exists(name, folders)]

    assert missing == []


def anchors_of(page: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text_of(page)), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_page_and_a_heading(page: str) -> None:
    """Links of other sites are not looked at."""
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", text_of(page))):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        path = (REPOSITORY / page).parent / name if name else REPOSITORY / page
        leads = path.exists() and (not anchor or anchor in anchors_of(str(path)))
        broken += [] if leads else [target]

    assert broken == []


def test_every_folder_of_the_product_is_on_the_map() -> None:
    """Whoever looks for a subject finds its folder in the architecture."""
    packages = ("api/*", "terminal_worker/*", "notifier_worker/*", "shared/*", "shared/storage/*")
    folders = {
        found.parent.name for package in packages for found in REPOSITORY.glob(f"{package}/__init__.py")
    }
    shelves = text_of("docs/architecture.md").partition("## Shelves")[2].partition("##")[0]
    named = {Path(name).name for name in named_in(shelves) if name.endswith("/")}
    assert folders - named - {"storage", "migrations"} == set()


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_every_quoted_line_of_code_is_code(page: str) -> None:
    """Whoever changes the code changes what a page quotes of it."""
    quotes = [re.sub(r"\n +", "\n", quote).strip() for quote in QUOTE.findall(text_of(page))]
    code = [
        re.sub(r"\n +", "\n", path.read_text(encoding="utf-8"))
        for package in PACKAGES
        for path in (REPOSITORY / package).rglob("*.py")
    ]
    assert quotes
    assert [quote for quote in quotes if not any(quote in text for text in code)] == []


def test_every_make_target_that_is_named_exists() -> None:
    """In code and in running text."""
    targets = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))
    named = {
        match
        for page in PAGES
        for span in (*CODE.findall(text_of(page)), *FENCE.findall(text_of(page)))
        for match in re.findall(r"(?:^|\s)make ([a-z][a-z-]+)", span)
    }

    assert named
    assert named - targets == set()


def test_every_command_that_is_named_exists() -> None:
    """`cloud-terminal VERB`, its second verb and its long options."""
    wrong = []
    for page in PAGES:
        for span in (*CODE.findall(text_of(page)), *FENCE.findall(text_of(page))):
            for line in re.findall(r"(?:^|\s)cloud-terminal ([a-z][^#\n]*)", span):
                wrong += [] if _is_known(line.split()) else [f"{page}: {line}"]

    assert wrong == []


def _is_known(words: list[str]) -> bool:
    command = get_command(app)
    while words and hasattr(command, "commands") and words[0] in command.commands:
        named = command.commands[words.pop(0)]
        command = getattr(named, "loaded", named)
    if getattr(command, "commands", None) and words and not words[0].startswith("-"):
        return False
    options = {
        option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
    }
    return all(word.partition("=")[0] in options for word in words if word.startswith("--"))


#: What runs each command that the README prints or names.
RUN_BY: Final = {
    "make demo": "tests/e2e/test_demo.py",
    "make test": ".ci/run",
    "make setup": "tests/e2e/pages/test_readme_path.py",
    "make run": "tests/e2e/pages/test_readme_path.py",
    "make sandbox": "tests/e2e/test_sandbox_flows.py",
    "make help": "tests/unit/test_docs.py",
    "make docs": "tests/unit/test_docs_site.py",
    "make simulate": "tests/simulation",
    "make faults": "tests/faults",
    "make mutations": "tests/simulation/mutations.py",
    "make hostile": "tests/hostile",
    "make bench": "tests/unit/bench",
    "make bench-quick": "tests/unit/bench",
    "make scale-compose": "tests/compose/scale.py",
    "docker compose": "tests/compose/pay.py",
    "uv tool": "tests/install/test_installed.py",
    "pipx install": "tests/install/test_installed.py",
}


def test_every_command_of_the_readme_is_run_by_something() -> None:
    """A command that nobody runs would be wrong one day."""
    text = text_of("README.md")
    lines = [line for fence in FENCE.findall(text) for line in fence.splitlines()] + CODE.findall(text)
    named = {
        " ".join(line.split()[:2])
        for line in lines
        if line.startswith(("make ", "docker ", "uv ", "pipx ")) and len(line.split()) > 1
    }

    assert named == set(RUN_BY)
    assert [place for place in RUN_BY.values() if not (REPOSITORY / place).exists()] == []


def test_every_command_of_the_drill_is_typed() -> None:
    """`make walk-compose` types sections: no block of commands of their pages lies outside of them."""
    typed = [step for page, heading in DRILL for step in section(page, heading)]
    printed = [
        step for page in {page for page, _ in DRILL} for step in steps_of((HANDBOOK / page).read_text())
    ]

    assert printed
    assert sorted(step.commands for step in typed) == sorted(step.commands for step in printed)


def test_every_test_that_the_readme_links_to_exists() -> None:
    """A renamed test is renamed in the table, too."""
    linked = re.findall(r'^\[[a-z-]+\]: (\S+) "(\w+)"$', text_of("README.md"), re.MULTILINE)

    assert linked
    assert [
        (file, test)
        for file, test in linked
        if not (REPOSITORY / file).exists() or f"def {test}(" not in text_of(file)
    ] == []


def test_every_log_event_that_operators_search_for_is_logged() -> None:
    """On the pages for operators: words in code that are no command."""
    source = "".join(
        path.read_text() for package in PACKAGES[:5] for path in (REPOSITORY / package).rglob("*.py")
    )
    named = {
        " ".join(span.split())
        for page in REPOSITORY.glob("docs/operations/*.md")
        for span in re.findall(r"`([a-z][a-z'-]*(?:\s[a-z'-]+)+)`", FENCE.sub("", page.read_text()))
        if not span.startswith(COMMANDS)
    }

    assert named
    assert {event for event in named if f'"{event}' not in source} == set()
