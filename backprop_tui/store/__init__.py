"""The state directory: runs, their records, logs and metrics, the index, and locks."""
