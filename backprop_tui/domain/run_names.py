"""The name of a run of a sweep: `train:lr=1e-3,seed=1`, shown as `train lr=1e-3 seed=1`."""

from __future__ import annotations

from collections.abc import Sequence


def split_point(name: str) -> tuple[str, Sequence[str]]:
    """`train` and the settings of the sweep's run `train:lr=1e-3,seed=1`; another name has no settings."""
    base, _, point = name.partition(":")
    settings = point.split(",")
    return (base, settings) if all("=" in setting for setting in settings) else (name, ())


def spelled(name: str) -> str:
    """A name as it is shown: `train lr=1e-3 seed=1` of the sweep's run `train:lr=1e-3,seed=1`."""
    base, settings = split_point(name)
    return " ".join([base, *settings])
