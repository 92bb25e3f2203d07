"""Reader of the merchant's feed: the events after a cursor, whatever fails meanwhile."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import typer

from cli.process import EXIT_UNAVAILABLE
from cli.remote.client import Api

_PATH: Final = "/v1/events"
_PAGE: Final = 100
_CLOCKS_APART: Final = timedelta(hours=1)
#: Pause after each failed reading in a row; the last one repeats.
_PAUSES_SECONDS: Final = (1.0, 2.0, 5.0, 10.0, 30.0)


class Feed:
    """Position in the feed. An API that is unavailable is asked again, with growing pauses."""

    def __init__(
        self, api: Api, interval_seconds: float, after: str | None, since: datetime | None = None
    ) -> None:
        """`since`: in place of `after`, a time with its offset."""
        self._api: Final = api
        self._interval_seconds: Final = interval_seconds
        self._failures = 0
        self._has_more = False
        self._since = since
        #: The cursor of the next reading; None: the feed's beginning, or a time.
        self.after = after

    def skip_to_end(self) -> None:
        """Go behind the newest event. Raises typer.Exit."""
        # Not through a feed of years; both clocks may be wrong by so much.
        self._since = datetime.now(UTC) - _CLOCKS_APART
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
    def is_at_end(self) -> bool:
        """The last reading worked and left nothing."""
        return not self._failures and not self._has_more

    @property
    def pause_seconds(self) -> float:
        """The time to wait before the next reading."""
        if not self._failures:
            return 0 if self._has_more else self._interval_seconds
        return _PAUSES_SECONDS[min(self._failures, len(_PAUSES_SECONDS)) - 1]

    def _page(self) -> list[dict[str, Any]]:
        since = None if self._since is None else self._since.isoformat(timespec="milliseconds")
        page = self._api.get(
            _PATH, **({"after": self.after} if since is None else {"from": since}), limit=_PAGE
        )
        self._since, self.after, self._has_more = None, page["next"], page["has_more"]
        events: list[dict[str, Any]] = page["events"]
        return events
