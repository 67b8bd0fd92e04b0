"""Checkpoints on disk: which are complete, and which one a run resumes from."""
