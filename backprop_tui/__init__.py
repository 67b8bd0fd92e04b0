"""backprop-tui: a supervisor and a dashboard for machine-learning training runs."""

__version__ = "0.1.0"
TESTED_TEXTUAL = "8.2.8"  # the version of Textual that the tests run with
