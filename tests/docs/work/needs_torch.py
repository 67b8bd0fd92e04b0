"""Stands for a training whose package is not installed."""

import no_such_package  # noqa: F401
