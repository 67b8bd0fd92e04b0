"""Reads the supervisor's settings from the user's config.toml, with the standard library only."""

from __future__ import annotations

from backprop_tui.config.files import Setting, read_file
from backprop_tui.config.keys import KEYS
from backprop_tui.domain.limits import MachineLimits


def machine_limits(path: str) -> MachineLimits:
    """Returns the limits for all runs of this machine together; the defaults if the file is missing.

    Raises:
        ConfigError: the file has an error.
    """
    settings = read_file(path)
    return MachineLimits(
        max_parallel=int(_number_or_default(settings, "max_parallel")),
        start_burst=int(_number_or_default(settings, "governor.start_burst")),
        starts_per_minute=_number_or_default(settings, "governor.starts_per_minute"),
        sample_seconds=_number_or_default(settings, "governor.sample_seconds"),
    )


def machine_probe(path: str) -> str:
    """Returns the configured GPU probe.

    Raises:
        ConfigError: the file has an error.
    """
    setting = read_file(path).get("gpu.probe")
    return str(KEYS["gpu.probe"].default if setting is None else setting.value)


def _number_or_default(settings: dict[str, Setting], name: str) -> float:
    value = settings[name].value if name in settings else KEYS[name].default
    if not isinstance(value, int | float):
        raise TypeError(f"{name} is {value!r}, not a number")
    return float(value)
