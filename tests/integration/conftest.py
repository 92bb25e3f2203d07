"""Systems for each test, on one database and on the other."""

from plugins.systems import limits, sqlite_system, system, system_on_both, system_prefix, way

__all__ = ["limits", "sqlite_system", "system", "system_on_both", "system_prefix", "way"]
