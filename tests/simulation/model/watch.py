"""Watch at the database: heartbeats of workers, and takeovers from workers that still beat."""

from collections.abc import Mapping


class Watch:
    """Observer of statements and commits; it keeps violations for the judge."""

    def __init__(self, stale_seconds: float) -> None:
        self._stale_seconds = stale_seconds
        self.violations: list[str] = []
        #: Time of each worker's last heartbeat.
        self._beats: dict[str, float] = {}

    def committed(self, worker: str, *, is_beat: bool, at: float) -> None:
        """Note a change of a worker's row: a heartbeat, or its end."""
        if is_beat:
            self._beats[worker] = at
        else:
            self._beats.pop(worker, None)

    def takes_over(self, parameters: Mapping[str, object], began_at: float) -> None:
        """Check a takeover whose transaction began at that time.

        Its last read of the counter came later, and sees every heartbeat stored before. A living worker
        may take back a terminal lock of its own."""
        if parameters["dead"] == parameters["worker"]:
            return
        beat_at = self._beats.get(str(parameters["dead"]))
        if beat_at is not None and beat_at < began_at < beat_at + self._stale_seconds:
            self.violations.append(f"taken over from a worker that lives: {parameters['address']}")
