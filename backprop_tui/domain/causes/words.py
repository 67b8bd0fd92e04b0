"""Words that several detectors use: sizes, and what a command line says."""

from __future__ import annotations

from collections.abc import Sequence

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_BATCH = (
    "--batch-size",
    "--batch_size",
    "--per_device_train_batch_size",
    "--train_batch_size",
    "--micro-batch-size",
    "--batch",
    "-b",
)


def binary_size(size_bytes: int) -> str:
    """`2.50 GiB`, as frameworks write it."""
    figure = float(size_bytes)
    for unit in _UNITS:
        if figure < 1024 or unit == _UNITS[-1]:
            return f"{figure:.0f} {unit}" if unit == "B" else f"{figure:.2f} {unit}"
        figure /= 1024
    raise AssertionError  # the last unit takes all


def decimal_size(size_bytes: int) -> str:
    """`1.2 GB`, as a disk is told."""
    return f"{size_bytes / 10**9:.1f} GB" if size_bytes >= 10**9 else f"{size_bytes // 10**6} MB"


def option_value(command: Sequence[str], names: Sequence[str]) -> tuple[str, str] | None:
    """The option of one of these names with its value, as `--name value` or `--name=value`; None where none is."""
    for place, word in enumerate(command):
        name, equals, value = word.partition("=")
        if name not in names:
            continue
        if equals:
            return name, value
        if place + 1 < len(command) and not command[place + 1].startswith("-"):
            return name, command[place + 1]
    return None


def batch_option(command: Sequence[str]) -> tuple[str, str] | None:
    """The option that says how large a batch is; None where the command line has none."""
    return option_value(command, _BATCH)
