"""Flame pictures of sampled stacks."""

import re
from xml.etree import ElementTree

from bench.measures.flame import WIDTH, Box, boxes_of, picture, read_stacks, tree_of

STACKS = "run (a.py:1);pay (b.py:2) 30\nrun (a.py:1);pay (b.py:2);<lambda> (c.py:3) 50\nrun (a.py:1) 20\n"


def test_the_width_of_a_function_is_its_share_of_the_samples() -> None:
    """A function's samples contain those of what it called."""
    boxes = list(boxes_of(tree_of(read_stacks(STACKS))))

    assert boxes == [
        Box("run (a.py:1)", 100, 0, 0.0, WIDTH),
        Box("pay (b.py:2)", 80, 1, 0.0, WIDTH * 0.8),
        Box("<lambda> (c.py:3)", 50, 2, 0.0, WIDTH * 0.5),
    ]


def test_a_function_too_narrow_to_be_seen_is_left_out() -> None:
    """The picture's size is bounded by its width, not by the number of stacks."""
    stacks = read_stacks("\n".join(f"run;f{number} 1" for number in range(10_000)))

    assert [box.name for box in boxes_of(tree_of(stacks))] == ["run"]


def test_a_picture_is_whole_without_scripts_and_other_sites() -> None:
    """It shows in any page, and names with `<` are text."""
    svg = picture("API", read_stacks(STACKS))

    root = ElementTree.fromstring(svg)  # it is well-formed
    assert root.get("viewBox") == f"0 0 {WIDTH} 80"
    assert "script" not in svg
    assert re.findall(r"https?://[^\"]+|href", svg) == ["http://www.w3.org/2000/svg"]
    assert "API, 100 samples" in svg
    assert "&lt;lambda&gt; (c.py:3) 50.0 %" in svg


def test_a_picture_without_samples_can_be_drawn() -> None:
    """An idle process has none."""
    assert "API, 0 samples" in picture("API", read_stacks(""))
