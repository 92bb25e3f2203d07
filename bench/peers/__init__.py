"""Frameworks as processes of their own; only these import what the group `bench` installs."""
