"""What the supervisor takes from the user's config.toml, with the standard library alone."""

from __future__ import annotations

from backprop_tui.config.files import Setting, read_file
from backprop_tui.config.keys import KEYS
from backprop_tui.domain.limits import MachineLimits


def machine_limits(path: str) -> MachineLimits:
    """The limits for all runs of this machine together; the defaults where the file is not there.

    Raises:
        ConfigError: the file is wrong.
    """
    found = read_file(path)
    return MachineLimits(
        max_parallel=int(_number(found, "max_parallel")),
        start_burst=int(_number(found, "governor.start_burst")),
        starts_per_minute=_number(found, "governor.starts_per_minute"),
        sample_seconds=_number(found, "governor.sample_seconds"),
    )


def machine_probe(path: str) -> str:
    """How GPUs are measured.

    Raises:
        ConfigError: the file is wrong.
    """
    found = read_file(path).get("gpu.probe")
    return str(KEYS["gpu.probe"].default if found is None else found.value)


def _number(found: dict[str, Setting], name: str) -> float:
    value = found[name].value if name in found else KEYS[name].default
    if not isinstance(value, int | float):
        raise TypeError(f"{name} is {value!r}, no number")
    return float(value)
