"""Tests of backprop-tui, in the rooms of the package they test."""
