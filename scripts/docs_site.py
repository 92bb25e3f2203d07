"""Hooks of the docs' site (mkdocs): pages of other folders, folders in the navigation, links out of docs/."""

import posixpath
import re
from pathlib import Path
from typing import Any, Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from api.openapi.reference import render_http_reference
from cli.reference import render_reference

_ROOT: Final = Path(__file__).parents[1]
#: Pages of the repository beside docs/, by their place in the site.
_PAGES: Final = {
    "how-to/clients.md": "clients/README.md",
    "how-to/typescript-client.md": "clients/typescript/README.md",
    "examples/index.md": "examples/README.md",
    "how-to/python-client.md": "clients/python/README.md",
    "project/changelog.md": "CHANGELOG.md",
    "project/contributing.md": "CONTRIBUTING.md",
    "project/security.md": "SECURITY.md",
}
#: Programs of examples/, each shown whole on a page of its own, by their place in the site.
_PROGRAMS: Final = {
    f"{path.relative_to(_ROOT)}.md": path.relative_to(_ROOT).as_posix()
    for path in sorted((_ROOT / "examples").rglob("*"))
    if path.suffix in (".py", ".sh")
}
#: Made from the code when the site is built.
_MADE: Final = {"reference/cli.md": render_reference, "reference/http.md": render_http_reference}
_LINK: Final = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)")
_CODE: Final = re.compile(r"(^(?:```|~~~).*?^(?:```|~~~)$)", re.DOTALL | re.MULTILINE)
#: The first line of a list or a table; Python's Markdown wants an empty line before it, GitHub does not.
_BLOCK: Final = re.compile(r"[-*] |\d+\. |\|")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages of a folder where the navigation names it."""
    pages = {path.relative_to(config.docs_dir).as_posix() for path in Path(config.docs_dir).rglob("*.md")}
    config.nav = _expanded(config.nav, sorted(pages | {*_PAGES, *_PROGRAMS, *_MADE}))
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie beside docs/."""
    for place, source in _PAGES.items():
        files.append(File.generated(config, place, content=(_ROOT / source).read_text(encoding="utf-8")))
    for place, source in _PROGRAMS.items():
        files.append(File.generated(config, place, content=_program(source)))
    for place, render in _MADE.items():
        files.append(File.generated(config, place, content=render()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Return the text as the site's reader takes it."""
    del config
    place = page.file.src_uri
    source = _PAGES.get(place, f"docs/{place}")
    known = {file.src_uri for file in files}
    parts = _CODE.split(markdown)
    # Every second part is code.
    parts[::2] = [_as_python_reads(_with_links(text, place, source, known)) for text in parts[::2]]
    return "".join(parts)


def _expanded(nav: Any, pages: list[str]) -> Any:
    """Return the navigation with each `folder/` replaced by its pages, an index first."""
    if isinstance(nav, dict):
        return {title: _expanded(content, pages) for title, content in nav.items()}
    if isinstance(nav, list):
        return [one for each in nav for one in _as_list(_expanded(each, pages))]
    if isinstance(nav, str) and nav.endswith("/"):
        # Those of folders within it, too.
        inside = [page for page in pages if page.startswith(nav)]
        return sorted(inside, key=lambda page: (not page.endswith("/index.md"), page))
    return nav


def _program(source: str) -> str:
    """Return the page of a program."""
    language = "python" if source.endswith(".py") else "bash"
    return f"# {source}\n\n```{language}\n{(_ROOT / source).read_text(encoding='utf-8')}```\n"


def _as_list(expanded: Any) -> list[Any]:
    return expanded if isinstance(expanded, list) else [expanded]


def _as_python_reads(text: str) -> str:
    """Return text without code, with an empty line before each list and table."""
    lines: list[str] = []
    for line in text.split("\n"):
        before = lines[-1] if lines else ""
        begins = _BLOCK.match(line) and before.strip() and not _BLOCK.match(before)
        if begins and not before.startswith((" ", "#")):
            lines.append("")
        lines.append(line)
    return "\n".join(lines)


def _with_links(text: str, place: str, source: str, known: set[str]) -> str:
    """Return text with links to the site's pages; a link to another file becomes the file's name."""

    def replaced(match: re.Match[str]) -> str:
        words, target = match.groups()
        name, _, anchor = target.partition("#")
        if not name or "://" in target or target.startswith("mailto:"):
            return match[0]
        leads = posixpath.normpath(posixpath.join(posixpath.dirname(source), name))
        found = _site_place(leads)
        if found not in known:
            return words if leads in words else f"{words} (`{leads}`)"
        relative = posixpath.relpath(found, posixpath.dirname(place) or ".")
        return f"[{words}]({relative}{'#' + anchor if anchor else ''})"

    return _LINK.sub(replaced, text)


def _site_place(path: str) -> str:
    """Return a repository file's place in the site."""
    places = {source: place for place, source in (*_PAGES.items(), *_PROGRAMS.items())}
    return places.get(path, path.removeprefix("docs/") if path.startswith("docs/") else f"../{path}")
