"""Starts the processes of this program: supervisor, sampler and guardians."""
