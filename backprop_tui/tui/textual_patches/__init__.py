"""Workarounds for faults and gaps of Textual; each can go when Textual changes.

Some replace private parts of Textual. With the version that the tests ran with they are applied as they are; with any
other, only where the source of what they replace and build on is the same. Otherwise Textual works as it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import textual

from backprop_tui import TESTED_TEXTUAL
from backprop_tui.domain.lazy_dataclass import lazy_dataclass


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """Replaces an attribute of a class or module of Textual.

    `sha256` is the hash of the source of that attribute and of the others in `builds_on`.
    """

    owner: Any
    name: str
    replacement: Any
    builds_on: tuple[str, ...] = ()
    sha256: str

    def fits(self) -> bool:
        """Whether this Textual has exactly the source that the patch was written for."""
        import inspect  # slow: for untested versions only
        from hashlib import sha256

        try:
            sources = [inspect.getsource(getattr(self.owner, name)) for name in (self.name, *self.builds_on)]
        except (AttributeError, OSError, TypeError):
            return False
        return sha256("".join(sources).encode()).hexdigest() == self.sha256


def apply_patches(patches: Iterable[Patch]) -> None:
    """Applies those that fit, for the whole process."""
    is_tested = _is_tested()
    for patch in patches:
        if is_tested or patch.fits():
            setattr(patch.owner, patch.name, patch.replacement)


def _is_tested() -> bool:
    """Whether this is the tested version, by the name of its metadata: importlib.metadata is slow to import."""
    package = os.path.dirname(textual.__file__)
    return os.path.isdir(os.path.join(os.path.dirname(package), f"textual-{TESTED_TEXTUAL}.dist-info"))
