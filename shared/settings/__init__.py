"""Settings, read from the environment once, checked against each other, frozen."""
