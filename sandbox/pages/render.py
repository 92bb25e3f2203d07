"""Pages from jinja2 templates, everything escaped."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol, cast

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from sandbox.pages import formats
from sandbox.pages.language import LANGUAGES, Language, translated, translated_reason
from sandbox.pages.receipts import in_english
from sandbox.tracing.trace import Trace


@dataclass(frozen=True, slots=True)
class NavLink:
    """A page in the navigation; `url` is absolute, since each system has a port of its own."""

    title: str
    url: str


class _Translating(Protocol):
    """The methods that the extension adds to an environment."""

    def install_gettext_callables(
        self, gettext: Callable[[str], str], ngettext: Callable[[str, str, int], str], *, newstyle: bool
    ) -> None: ...


def templates(package: str, language: Language = Language.ENGLISH) -> Environment:
    """Return an environment of the package's folder `templates` and the common `base.html` and `parts.html`.

    Filters: `money` (cents to `12.50 EUR`), `price` (a number of a basket, `12.50`), `when`, `exactly`,
    `clock_time` (Unix ms to text), `t` (a text of the data in the page's language), `reason` (of a refusal),
    `in_english` (a receipt).
    `_("text")` and `{% trans %}` are the templates' own texts. Undefined names are errors.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("sandbox.pages")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    translate = partial(translated, language=language)
    cast("_Translating", environment).install_gettext_callables(
        translate, lambda one, many, count: translate(one if count == 1 else many), newstyle=True
    )
    environment.filters.update(
        t=translate,
        money=partial(formats.money, decimal_mark="," if language is Language.FRENCH else "."),
        price=formats.price,
        when=formats.when,
        exactly=formats.when_exactly,
        clock_time=formats.clock_time,
        in_english=in_english,
        reason=partial(translated_reason, language=language),
    )
    environment.globals["reads_french"] = language is Language.FRENCH
    return environment


class Pages:
    """Renderer of one system's templates with the system's name and the navigation."""

    def __init__(
        self,
        package: str,
        *,
        system: str,
        subtitle: str = "",
        navigation: Sequence[NavLink] = (),
        trace: Trace | None = None,
        languages: Sequence[Language] = (Language.ENGLISH,),
    ) -> None:
        """system: the name in the head and in titles, e.g. `Console`.

        navigation: all pages of the sandbox; the one with the title `system` is marked as the current one.
        trace: its events make pages with `data-live` reload.
        languages: those of the package's templates.
        """
        self._trace: Final = trace
        self._environments: Final = {one: templates(package, one) for one in languages}
        self._common: Final[dict[str, Any]] = {
            "system": system,
            "subtitle": subtitle,
            "navigation": list(navigation),
            "languages": {one: LANGUAGES[one] for one in languages},
        }

    def page(
        self,
        template: str,
        *,
        status: int = 200,
        language: Language = Language.ENGLISH,
        **context: Any,
    ) -> HTMLResponse:
        """Return the page; the context must have been read without an `await` before this call."""
        last_event = None if self._trace is None else self._trace.last_number
        return HTMLResponse(
            self.part(template, language, **self._common, last_event=last_event, **context),
            status_code=status,
        )

    def part(self, template: str, language: Language, **context: Any) -> str:
        """Return a template without the page's common context, as HTML."""
        # A page that has no translation is in English.
        shown = language if language in self._environments else Language.ENGLISH
        return self._environments[shown].get_template(template).render({**context, "language": shown})
