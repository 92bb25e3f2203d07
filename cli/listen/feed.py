"""Reader of the merchant's feed: the events after a cursor, whatever fails meanwhile."""

from typing import Any, Final

import typer

from cli.process import EXIT_UNAVAILABLE
from cli.remote.client import Api

_PATH: Final = "/v1/events"
_PAGE: Final = 100
#: Pause after each failed reading in a row; the last one repeats.
_PAUSES_SECONDS: Final = (1.0, 2.0, 5.0, 10.0, 30.0)


class Feed:
    """Position in the feed. An API that is unavailable is asked again, with growing pauses."""

    def __init__(self, api: Api, interval_seconds: float, after: str | None) -> None:
        self._api: Final = api
        self._interval_seconds: Final = interval_seconds
        self._failures = 0
        self._has_more = False
        #: The cursor of the next reading; None: the feed's beginning.
        self.after = after

    def skip_to_end(self) -> None:
        """Go behind the newest event. Raises typer.Exit."""
        self._page()
        while self._has_more:
            self._page()

    def read(self) -> list[dict[str, Any]]:
        """Return one page of new events. Raises typer.Exit where the API refuses to answer."""
        try:
            events = self._page()
        except typer.Exit as failed:
            if failed.exit_code != EXIT_UNAVAILABLE:
                raise
            self._failures += 1
            return []
        self._failures = 0
        return events

    @property
    def pause_seconds(self) -> float:
        """The time to wait before the next reading."""
        if not self._failures:
            return 0 if self._has_more else self._interval_seconds
        return _PAUSES_SECONDS[min(self._failures, len(_PAUSES_SECONDS)) - 1]

    def _page(self) -> list[dict[str, Any]]:
        page = self._api.get(_PATH, after=self.after, limit=_PAGE)
        self.after, self._has_more = page["next"], page["has_more"]
        events: list[dict[str, Any]] = page["events"]
        return events
