"""The rules between settings, checked at start."""

import pytest

from shared.settings.checks import CHECKS, Check
from shared.settings.fields import variable
from shared.settings.load import load_settings
from shared.settings.settings import Settings, SettingsError


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: "+".join(check.left))
def test_a_broken_rule_stops_the_start_and_names_every_setting_of_it(check: Check) -> None:
    """The message names both sides, so that the operator can change either."""
    defaults = Settings()
    right = sum(getattr(defaults, term) if isinstance(term, str) else term for term in check.right)
    given = {check.left[0]: right + 1}

    with pytest.raises(SettingsError) as caught:
        load_settings(**given)
    sentence = next(line for line in str(caught.value).splitlines() if check.why in line)
    for term in (*check.left, *check.right):
        assert (variable(term) if isinstance(term, str) else f"{term:g} s") in sentence


def test_all_limits_can_be_shortened_together() -> None:
    """Tests shorten hours to a second."""
    defaults = Settings()
    names = {term for check in CHECKS for side in (check.left, check.right) for term in side}
    shortened = {name: getattr(defaults, name) / 100 for name in names if isinstance(name, str)}

    settings = load_settings(**shortened)

    assert settings.doubt_window_seconds == pytest.approx(2.75)
