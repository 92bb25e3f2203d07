"""Steps of a release's migration: before its processes start, and after the end of the previous release's.

A version of the schema is named GENERATION.NUMBER. A step before only adds, so that the previous release goes
on; it keeps the generation. A step after removes what only the previous release used; it begins a generation.
A release runs on its own generation and on the one that its own step after begins, hence never on a schema
that lacks what the next release has removed.
"""

from collections.abc import Sequence


def generation(version: str) -> int | None:
    """Return the version's generation; None for a name that is none of ours."""
    number, dot, _ = version.partition(".")
    return int(number) if dot and number.isdecimal() else None


def needed(chain: Sequence[str]) -> str:
    """Return the version that a release's processes need; `chain` has its versions, the oldest first."""
    if len(chain) > 1 and generation(chain[-1]) != generation(chain[-2]):
        return chain[-2]
    return chain[-1]


def target(chain: Sequence[str], found: str | None, *, after: bool) -> str | None:
    """Return the version to migrate to; None: there is nothing to do.

    A new database has no previous release, so all is done at once.
    """
    if found is not None and found not in chain:
        return None
    wanted = chain[-1] if after or found is None else needed(chain)
    return None if found is not None and chain.index(found) >= chain.index(wanted) else wanted


def missing_steps(chain: Sequence[str], found: str | None) -> tuple[list[str], list[str]]:
    """Return the versions that have not run: those before this release's processes, those after the old ones.

    None of them for a newer release's schema.
    """
    if found is not None and found not in chain:
        return [], []
    first_after = len(chain) if found is None else chain.index(needed(chain)) + 1
    rest = range(0 if found is None else chain.index(found) + 1, len(chain))
    return [chain[i] for i in rest if i < first_after], [chain[i] for i in rest if i >= first_after]


def is_too_old(chain: Sequence[str], found: str | None) -> bool:
    """Return whether this release's step before has not run."""
    return found is None or (found in chain and chain.index(found) < chain.index(needed(chain)))


def is_too_new(chain: Sequence[str], found: str) -> bool:
    """Return whether a later release's step after has run, which removed what this release uses."""
    if found in chain:
        return False
    theirs, ours = generation(found), generation(chain[-1])
    return theirs is None or ours is None or theirs > ours
