"""What the database's server sees: beats of workers, and lines that are taken over from those who beat."""

from collections.abc import Mapping


class Watch:
    """Looks at statements as they run and are committed; a wrong is kept for the judge."""

    def __init__(self, stale_seconds: float) -> None:
        self._stale_seconds = stale_seconds
        self.wrongs: list[str] = []
        #: When each worker last beat.
        self._beats: dict[str, float] = {}

    def committed(self, worker: str, *, is_beat: bool, at: float) -> None:
        """A worker's row was changed; it beats, or it is gone."""
        if is_beat:
            self._beats[worker] = at
        else:
            self._beats.pop(worker, None)

    def takes_over(self, parameters: Mapping[str, object], began_at: float) -> None:
        """A line is taken over in a transaction that began at that time: its last read of the counter came
        later, and sees every beat that was stored before. A worker that lives may take back its own."""
        if parameters["dead"] == parameters["worker"]:
            return
        beat_at = self._beats.get(str(parameters["dead"]))
        if beat_at is not None and beat_at < began_at < beat_at + self._stale_seconds:
            self.wrongs.append(f"taken over from a worker that lives: {parameters['address']}")
