"""What every process runs with: clock, ids, logs, metrics, management port, stopping."""
