"""Column and index forms that the tables share."""

from typing import Any

from sqlalchemy import BigInteger, Column, Computed, ForeignKey, Index, Integer, Text, text
from sqlmodel import Field


def text_key(refers_to: str | None = None) -> Any:
    """Return a text column of the primary key."""
    targets = () if refers_to is None else (ForeignKey(refers_to),)
    return Field(sa_column=Column(Text, *targets, primary_key=True))


def identity() -> Any:
    """Return the primary key that the database counts up."""
    return Field(
        sa_column=Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
        default=None,
    )


def reference(column: str, *, nullable: bool = False, index: bool = False) -> Any:
    """Return a text column that refers to another table's key."""
    return Field(sa_column=Column(Text, ForeignKey(column), nullable=nullable, index=index), default=None)


def text_column(nullable: bool = True, default: str | None = None) -> Any:
    """Return a text column; `default` is the database's default, too."""
    server_default = None if default is None else text(f"'{default}'")
    return Field(sa_column=Column(Text, nullable=nullable, server_default=server_default), default=default)


def computed_text(expression: str) -> Any:
    """Return a stored text column that the database computes of the row's others."""
    return Field(sa_column=Column(Text, Computed(expression, persisted=True)), default=None)


def integer(nullable: bool = True, *, is_big: bool = False, default: int | None = None) -> Any:
    """Return a column of 32 bits, or of 64 if it `is_big`; `default` is the database's default, too."""
    server_default = None if default is None else text(str(default))
    type_ = BigInteger if is_big else Integer
    return Field(sa_column=Column(type_, nullable=nullable, server_default=server_default), default=default)


def milliseconds(nullable: bool = True) -> Any:
    """Return a time column: milliseconds since 1970 UTC by the database's clock."""
    return integer(nullable, is_big=True)


def flag() -> Any:
    """Return a boolean column that is false by default."""
    return Field(default=False, sa_column_kwargs={"server_default": text("false")})


def partial_index(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """Return an index of the rows that fulfil a condition."""
    return Index(name, *columns, unique=unique, postgresql_where=text(where), sqlite_where=text(where))
