pytest_plugins = ["servers", "databases"]
