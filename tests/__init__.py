"""Tests of backprop-tui, in packages that mirror those of backprop_tui."""
