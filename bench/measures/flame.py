"""Flame pictures: sampled stacks as an SVG without scripts and outside references."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Final
from zlib import crc32

#: The pictures' files in `docs/images/`, by process.
PICTURES: Final = {
    "API": "flame-api.svg",
    "terminal worker": "flame-terminal-worker.svg",
    "notifier worker": "flame-notifier-worker.svg",
}

WIDTH: Final = 1200
ROW: Final = 16
#: Width of a letter of the monospace font, and the narrowest box that is drawn.
LETTER: Final = 6.6
NARROWEST: Final = 1.0


@dataclass
class Frame:
    """One function below its callers: its samples, and what it called."""

    samples: int = 0
    called: dict[str, "Frame"] = field(default_factory=dict)


def read_stacks(text: str) -> dict[tuple[str, ...], int]:
    """Return the samples by stack of lines `outermost;...;innermost NUMBER`, as py-spy writes them."""
    found: dict[tuple[str, ...], int] = {}
    for line in text.splitlines():
        stack, _, number = line.rpartition(" ")
        frames = tuple(filter(None, stack.split(";")))
        found[frames] = found.get(frames, 0) + int(number)
    return found


def tree_of(stacks: Mapping[tuple[str, ...], int]) -> Frame:
    root = Frame()
    for stack, samples in stacks.items():
        frame = root
        frame.samples += samples
        for name in stack:
            frame = frame.called.setdefault(name, Frame())
            frame.samples += samples
    return root


@dataclass(frozen=True, slots=True)
class Box:
    """One function's place in the picture; `depth` 0 is the outermost."""

    name: str
    samples: int
    depth: int
    x: float
    width: float


def boxes_of(root: Frame, *, depth: int = 0, x: float = 0.0, unit: float | None = None) -> Iterator[Box]:
    """Yield the boxes below a frame that are wide enough to be seen, each above its caller."""
    scale = WIDTH / max(root.samples, 1) if unit is None else unit
    for name, frame in sorted(root.called.items()):
        width = frame.samples * scale
        if width >= NARROWEST:
            yield Box(name, frame.samples, depth, x, width)
            yield from boxes_of(frame, depth=depth + 1, x=x, unit=scale)
        x += width


def picture(title: str, stacks: Mapping[tuple[str, ...], int]) -> str:
    """Return the SVG of sampled stacks."""
    root = tree_of(stacks)
    boxes = list(boxes_of(root))
    height = (max((box.depth for box in boxes), default=0) + 3) * ROW
    view = f'viewBox="0 0 {WIDTH} {height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {view} font-family="monospace" font-size="11">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="4" y="12">{escape(title)}, {root.samples} samples</text>',
        *(_box_text(box, height, root.samples) for box in boxes),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _box_text(box: Box, height: int, samples: int) -> str:
    y = height - (box.depth + 1) * ROW
    room = int((box.width - 4) / LETTER)
    label = box.name if len(box.name) <= room else f"{box.name[: room - 1]}…"
    text = f'<text x="{box.x + 2:.1f}" y="{y + 12}">{escape(label)}</text>' if room >= 4 else ""
    share = 100 * box.samples / samples
    return (
        f'<g><title>{escape(box.name)} {share:.1f} %</title><rect x="{box.x:.1f}" y="{y}"'
        f' width="{box.width:.1f}" height="{ROW - 1}" fill="{_colour(box.name)}"/>{text}</g>'
    )


def _colour(name: str) -> str:
    """Return a colour that depends on the function's file only: one library has one colour."""
    hue = crc32(name.partition("(")[2].partition(":")[0].encode()) % 360
    return f"hsl({hue},60%,75%)"
