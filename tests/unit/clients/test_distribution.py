"""The Python client as a distribution of its own."""

import ast
import re
import sys
import tomllib
from pathlib import Path
from typing import Final

import cloud_terminal_client
from cloud_terminal_client import errors

FOLDER: Final = Path(__file__).parents[3] / "clients" / "python"


def imported(path: Path) -> set[str]:
    """Return the top-level packages that a file imports."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in names}


def test_it_needs_httpx_and_nothing_else() -> None:
    """It is installed beside an application's own packages, without the server's."""
    files = list((FOLDER / "cloud_terminal_client").glob("*.py"))
    used = set().union(*map(imported, files)) - set(sys.stdlib_module_names) - {"cloud_terminal_client"}
    project = tomllib.loads((FOLDER / "pyproject.toml").read_text())["project"]

    assert {re.split(r"[^\w-]", needed)[0] for needed in project["dependencies"]} == used == {"httpx"}


def test_every_error_is_in_the_drawn_tree_and_can_be_imported() -> None:
    """The tree at the top of the module is what a reader sees first."""
    made = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.CloudTerminalError)
    }
    drawn = set(re.findall(r"^[ |]*(?:\+-- )?([A-Z]\w+)(?:  |$)", errors.__doc__ or "", re.MULTILINE))

    assert drawn == made <= set(cloud_terminal_client.__all__)
