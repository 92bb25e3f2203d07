"""Faults of one history as ratios, drawn from the seed so that most histories have few kinds."""

import random
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Faults:
    """Ratios of each kind; every occurrence is counted by its name."""

    message_delays: float = 0.0
    reorders: float = 0.0
    doubled_messages: float = 0.0
    lost_publishes: float = 0.0
    lost_confirms: float = 0.0
    lost_replies: float = 0.0
    lost_commits: float = 0.0
    #: Ratios of statements that the server refuses, and of those whose answer takes longer.
    statement_errors: float = 0.0
    slow_answers: float = 0.0
    #: Ratio of posts to receivers that fail.
    receivers: float = 0.0
    #: Ratio of DNS look-ups that fail.
    names: float = 0.0
    #: Numbers of each in one history.
    kills: int = 0
    pauses: int = 0
    restarts: int = 0
    database_aways: int = 0
    broker_aways: int = 0
    clock_steps: int = 0
    #: Ratio of terminal sessions that go wrong.
    terminal: float = 0.0
    hand_typed: int = 0
    name_changes: int = 0
    #: Ratios of doubts with an early release, a gateway record, an operator's decision.
    early_releases: float = 0.0
    gateway: float = 0.0
    operator: float = 0.0
    happened: Counter[str] = field(default_factory=Counter)

    def count(self, kind: str) -> None:
        self.happened[kind] += 1

    def stop(self) -> None:
        """Let nothing new go wrong from now on."""
        self.message_delays = self.reorders = self.doubled_messages = 0.0
        self.statement_errors = 0.0
        self.lost_publishes = self.lost_confirms = self.lost_replies = self.lost_commits = 0.0
        self.terminal = self.names = self.receivers = 0.0


def drawn(rng: random.Random) -> Faults:
    def ratio(most: float, share: float = 0.4) -> float:
        return rng.uniform(0, most) if rng.random() < share else 0.0

    def number(most: int, share: float = 0.5) -> int:
        return rng.randint(1, most) if rng.random() < share else 0

    return Faults(
        message_delays=ratio(0.3),
        reorders=ratio(0.5),
        doubled_messages=ratio(0.5),
        lost_publishes=ratio(0.2),
        lost_confirms=ratio(0.2),
        lost_replies=ratio(0.5),
        lost_commits=ratio(0.15, 0.5),
        slow_answers=ratio(0.2, 0.3),
        statement_errors=ratio(0.03, 0.3),
        kills=number(3, 0.6),
        pauses=number(2),
        restarts=number(1, 0.3),
        database_aways=number(2, 0.3),
        broker_aways=number(1, 0.3),
        clock_steps=number(2, 0.3),
        terminal=ratio(1.0, 0.8),
        hand_typed=number(3, 0.4),
        early_releases=ratio(1.0, 0.4),
        gateway=ratio(1.0, 0.4),
        operator=ratio(1.0, 0.3),
        names=ratio(0.6, 0.3),
        receivers=ratio(0.6, 0.5),
        name_changes=number(2, 0.2),
    )
