"""Bytes of a growing log in, steps, metrics and checkpoints out: pure and incremental."""
