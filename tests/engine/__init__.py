"""Tests of the supervisor's parts, without processes."""
