pytest_plugins = [
    "plugins.loaded_machine",
    "plugins.chosen_runs",
    "plugins.nothing_left",
    "plugins.servers",
    "databases",
]
