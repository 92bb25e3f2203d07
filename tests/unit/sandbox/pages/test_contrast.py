"""Texts of the pages can be read: WCAG AA, in light and dark."""

import re
from importlib.resources import files
from itertools import product

import pytest

#: WCAG 2, level AA, for text of normal size.
LEAST_CONTRAST = 4.5
SURFACES = ("page", "card", "raised")
TONES = ("good", "warn", "bad", "info")
PAIRS = [
    *product(("ink", "soft", "faint"), SURFACES),
    *((tone, f"{tone}-soft") for tone in TONES),
    ("soft", "quiet-soft"),
    ("accent", "card"),
    ("accent", "page"),
    ("accent", "accent-soft"),
    ("accent-ink", "accent"),
]


def colours(scheme: str) -> dict[str, str]:
    """Return the style's colours by name."""
    style = (files("shared.pages") / "static" / "style.css").read_text()
    blocks = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", blocks[0 if scheme == "light" else 1]))


def luminance(colour: str) -> float:
    """Return the relative luminance of `#rrggbb`."""
    shares = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio, 1 to 21."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("text", "surface"), PAIRS)
def test_every_text_stands_out_from_its_surface(text: str, surface: str, scheme: str) -> None:
    """Footers and zero sums, too."""
    found = colours(scheme)

    assert contrast(found[text], found[surface]) >= LEAST_CONTRAST
