"""Environment variables given to a run with --env; the values of secret ones are not stored."""

from __future__ import annotations

from collections.abc import Iterable

_SECRET = ("KEY", "TOKEN", "SECRET", "PASS", "PASSWORD", "PASSWD", "PWD", "CREDENTIAL", "CREDENTIALS", "AUTH")

RunVariables = tuple[tuple[str, str | None], ...]  # name and value; None if the value is not stored


def is_secret(name: str) -> bool:
    """Whether the value must not be stored: WANDB_API_KEY, HF_TOKEN, DB_PASSWORD."""
    words = name.upper().split("_")
    return any(word in _SECRET for word in words) or words[-1].endswith(_SECRET)


def without_secrets(given: Iterable[tuple[str, str]]) -> RunVariables:
    """Returns the variables as they are stored; the last value of a name counts."""
    return tuple((name, None if is_secret(name) else value) for name, value in dict(given).items())


def restore_variables(before: RunVariables, given: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Returns the variables of a resumed run: the stored ones that have a value, overridden by those given now."""
    return list(({name: value for name, value in before if value is not None} | dict(given)).items())


def merge_variables(before: RunVariables, given: Iterable[tuple[str, str]]) -> RunVariables:
    """Returns the variables to store for a resumed run."""
    return tuple((dict(before) | dict(without_secrets(given))).items())
