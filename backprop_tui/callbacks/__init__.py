"""Callbacks for training frameworks, built on `backprop_tui.report`; each module needs its framework alone."""
