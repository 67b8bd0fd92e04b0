"""Files: run directories, the index, locks, requests."""
