"""Building blocks of the settings: a group, and fields with a default, a range and a description."""

from typing import Any, ClassVar

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX = "CLOUD_TERMINAL_"


class Group(BaseSettings):
    """A group of related settings; `title` is its heading in the reference."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        # A value may be a password, so messages contain the setting's name only.
        hide_input_in_errors=True,
    )

    title: ClassVar[str] = ""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return arguments, then the environment; a `.env` in the working directory is never read."""
        return init_settings, env_settings


def variable(field_name: str) -> str:
    """Return the environment variable of a field."""
    return PREFIX + field_name.upper()


def seconds(default: float, why: str) -> Any:
    """Return a field for a duration in seconds, fractions allowed, above zero and at most a week."""
    return Field(default=default, gt=0, le=604_800, description=why)


def per_second(default: float, why: str) -> Any:
    """Return a field for a rate, fractions allowed, above zero."""
    return Field(default=default, gt=0, le=1_000_000, description=why)


def durations(default: tuple[float, ...], why: str) -> Any:
    """Return a field for a JSON list of durations in seconds."""
    return Field(default=default, min_length=1, max_length=100, examples=[default[:2]], description=why)


def count(default: int, why: str, *, least: int = 1, most: int = 1_000_000) -> Any:
    return Field(default=default, ge=least, le=most, description=why)


def port(default: int, why: str, *, least: int = 0) -> Any:
    return Field(default=default, ge=least, le=65_535, description=why)
