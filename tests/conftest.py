pytest_plugins = ["loaded_machine", "servers", "databases"]
