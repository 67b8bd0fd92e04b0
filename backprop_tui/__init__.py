"""backprop-tui: a supervisor and a dashboard for machine-learning training runs."""

__version__ = "0.1.0"
