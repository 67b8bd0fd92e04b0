"""Callbacks for training frameworks, built on `backprop_tui.report`; each module imports only its framework."""
