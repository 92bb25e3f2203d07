"""Parameters' names as PostgreSQL's numbers."""

import pytest

from shared.storage.db.statement import Statement, numbered


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        pytest.param("a = :a AND b = :b_2", ("a = $1 AND b = $2", ("a", "b_2")), id="in their order"),
        pytest.param(":b, :a, :b", ("$1, $2, $1", ("b", "a")), id="a name that repeats"),
        pytest.param("x::bigint = :x::text", ("x::bigint = $1::text", ("x",)), id="casts"),
        pytest.param("'12:30', 'it''s :x', :x", ("'12:30', 'it''s :x', $1", ("x",)), id="literals"),
        pytest.param('"odd:name" = :x', ('"odd:name" = $1', ("x",)), id="quoted names"),
        pytest.param("a -- :x\n= :y /* :z */", ("a -- :x\n= $1 /* :z */", ("y",)), id="comments"),
        pytest.param("DO $$ a := :x $$", ("DO $$ a := :x $$", ()), id="a text in dollars"),
        pytest.param("$f$ :x $$ $f$ :y", ("$f$ :x $$ $f$ $1", ("y",)), id="a text in named dollars"),
        pytest.param("f(a[1:2], :x)", ("f(a[1:2], $1)", ("x",)), id="slices"),
        pytest.param("SELECT 1", ("SELECT 1", ()), id="none"),
    ],
)
def test_names_become_numbers_and_nothing_else_does(named: str, expected: object) -> None:
    """A colon in a literal, a cast or a comment begins no parameter."""
    assert numbered(named) == expected


def test_both_databases_have_the_same_parameters() -> None:
    """The placeholders that differ by dialect bring none of their own."""
    statement = Statement("SELECT {payment} FROM payments WHERE id {in_ids} AND created_at < {now} - :age")

    assert statement.numbered[1] == ("ids", "age")
    assert ":ids" in statement.on("sqlite")
    assert ":age" in statement.on("sqlite")
