"""Tests of the dashboard, and the snapshots they are made with."""
