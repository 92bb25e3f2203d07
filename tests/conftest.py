pytest_plugins = ["plugins.loaded_machine", "plugins.chosen_runs", "plugins.servers", "databases"]
