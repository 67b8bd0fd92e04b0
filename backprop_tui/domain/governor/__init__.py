"""The governor: who may start and where, what must be paused; pure decisions over measurements."""
