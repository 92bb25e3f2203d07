"""Parts of every process: clock, ids, logs, metrics, management port, stopping."""
