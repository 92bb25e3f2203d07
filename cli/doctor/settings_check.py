"""Checks of the settings: those that are allowed and that an operator should know."""

from typing import Final

from cli.doctor.finding import Finding, Level
from shared.settings.fields import variable
from shared.settings.settings import Settings

PART: Final = "settings"


def check_settings(settings: Settings) -> list[Finding]:
    """Return the findings about settings that a process starts with."""
    found = [Finding(PART, Level.OK, "A process starts with them.")]
    if settings.software_id == Settings.model_fields["software_id"].default:
        found.append(
            Finding(
                PART,
                Level.WARNING,
                f"{variable('software_id')} is still the example.",
                "Set the identifier that the association assigned to your software.",
            )
        )
    if settings.hipay_url is None:
        found.append(
            Finding(
                PART,
                Level.WARNING,
                "No order notifications are sent to HiPay.",
                f"Set {variable('hipay_url')} and {variable('hipay_signing_secret')}, unless you use none.",
            )
        )
    if settings.notify_allow_http:
        found.append(
            Finding(
                PART,
                Level.WARNING,
                f"{variable('notify_allow_http')} is set: webhooks may go over plain http.",
                "Unset it, except for tests on one machine.",
            )
        )
    found.append(
        Finding(
            "proxy",
            Level.OK,
            f"The API answers within {settings.caller_wait_seconds:g} s. A proxy in front of it needs a"
            f" time-out of {settings.proxy_timeout_seconds:g} s or more.",
        )
    )
    return found
