"""The folder of unpacked programs is complete or absent."""

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sandbox.servers.private.cache import complete_folder


def test_a_folder_is_filled_once(tmp_path: Path) -> None:
    """The second use finds what the first one left."""
    filled = []

    def fill(temporary: Path, final: Path) -> None:
        (temporary / "program").write_text(f"I live in {final}")
        filled.append(final)

    first = complete_folder(tmp_path / "cache" / "rabbitmq", fill)
    second = complete_folder(tmp_path / "cache" / "rabbitmq", fill)

    assert first == second == tmp_path / "cache" / "rabbitmq"
    assert (first / "program").read_text() == f"I live in {first}"
    assert filled == [first]


def test_an_interruption_while_filling_leaves_nothing_and_the_next_use_fills_again(tmp_path: Path) -> None:
    """A partial folder is never used."""

    def break_off(temporary: Path, _final: Path) -> None:
        (temporary / "half").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        complete_folder(tmp_path / "rabbitmq", break_off)
    left = [path.name for path in tmp_path.iterdir() if not path.name.endswith(".lock")]
    again = complete_folder(tmp_path / "rabbitmq", lambda temporary, _: (temporary / "whole").touch())

    assert left == []
    assert (again / "whole").exists()
    assert not (again / "half").exists()


def test_remains_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    """A SIGKILL while unpacking leaves a temporary folder; it does not stay for ever."""
    remains = tmp_path / ".rabbitmq-killed"
    remains.mkdir()

    complete_folder(tmp_path / "rabbitmq", lambda temporary, _: (temporary / "whole").touch())

    assert not remains.exists()


def test_a_folder_that_was_moved_is_filled_again(tmp_path: Path) -> None:
    """The programs know their absolute path, so they do not run from another one."""
    old = complete_folder(tmp_path / "old" / "rabbitmq", lambda temporary, _: (temporary / "old").touch())
    shutil.move(old.parent, tmp_path / "new")

    new = complete_folder(tmp_path / "new" / "rabbitmq", lambda temporary, _: (temporary / "new").touch())

    assert (new / "new").exists()
    assert not (new / "old").exists()


def test_of_two_at_once_one_fills_and_the_other_waits(tmp_path: Path) -> None:
    """Two test runs in one checkout unpack once."""
    both_started = threading.Barrier(2)
    filled = []

    def use() -> Path:
        both_started.wait(5)
        return complete_folder(tmp_path / "rabbitmq", lambda temporary, _: filled.append(temporary))

    with ThreadPoolExecutor(2) as threads:
        results = list(threads.map(lambda _: use(), range(2)))

    assert results == [tmp_path / "rabbitmq"] * 2
    assert len(filled) == 1
