"""Variables that were given to a run by option: kept with it, but for those whose name says that they are secret."""

from __future__ import annotations

from collections.abc import Iterable

_SECRET = ("KEY", "TOKEN", "SECRET", "PASS", "PASSWORD", "PASSWD", "PWD", "CREDENTIAL", "CREDENTIALS", "AUTH")

Variables = tuple[tuple[str, str | None], ...]  # name and value; None where the value is not kept


def is_secret(name: str) -> bool:
    """Whether its value must not be written down: WANDB_API_KEY, HF_TOKEN, DB_PASSWORD."""
    words = name.upper().split("_")
    return any(word in _SECRET for word in words) or any(words[-1].endswith(one) for one in _SECRET)


def kept(given: Iterable[tuple[str, str]]) -> Variables:
    """As they are written down; the last of a name counts."""
    return tuple((name, None if is_secret(name) else value) for name, value in dict(given).items())


def restored(before: Variables, given: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """What a resumed run is given: what it was, as far as that is kept, and over it what is given now."""
    return list(({name: value for name, value in before if value is not None} | dict(given)).items())


def merged(before: Variables, given: Iterable[tuple[str, str]]) -> Variables:
    """What is written down of a resumed run."""
    return tuple((dict(before) | dict(kept(given))).items())
