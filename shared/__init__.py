"""Parts that processes share: payment rules, storage, broker, Concert codec, settings, metrics, logging."""
