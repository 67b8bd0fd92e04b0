"""Tests against a real Slurm cluster on this machine."""
