"""Column forms that the tables share."""

from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, Text
from sqlmodel import Field


def milliseconds(nullable: bool = True) -> Any:
    """A time: milliseconds since 1970 UTC by the database's clock."""
    return Field(sa_column=Column(BigInteger, nullable=nullable), default=None)


def reference(column: str, *, nullable: bool = False, index: bool = False) -> Any:
    return Field(sa_column=Column(Text, ForeignKey(column), nullable=nullable, index=index), default=None)


def text_column(nullable: bool = True) -> Any:
    return Field(sa_column=Column(Text, nullable=nullable), default=None)


def identity() -> Any:
    """A number that the database counts up."""
    return Field(
        sa_column=Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
        default=None,
    )
