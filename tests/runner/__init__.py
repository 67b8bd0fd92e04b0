"""Tests of the guardian's parts, without processes."""
