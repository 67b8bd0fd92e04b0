"""Tests of the governor with real processes, on GPUs that are doubles."""
