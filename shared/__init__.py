"""What two processes need: payment rules, storage, broker, Concert codec, settings, metrics, logging."""
