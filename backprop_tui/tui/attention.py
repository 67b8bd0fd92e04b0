"""Whether somebody looks at the window, as far as focus reports and keys tell.

Most terminals report focus (xterm's mode 1004), and tmux does with `focus-events on`. Until the first such report a
window counts as looked at while keys or the mouse were used lately.
"""

from __future__ import annotations

import time
from collections.abc import Callable

SILENCE_SECONDS = 600.0  # without a key or the mouse: nobody is there, focus or not (a screen may be locked)


class Attention:
    """Told of focus and signs of life by the application; asked by the bridge's thread too."""

    __slots__ = ("_clock", "_focused", "_sign_at")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._focused: bool | None = None
        self._sign_at = clock()

    def sign(self) -> None:
        """A key, the mouse, a paste."""
        self._sign_at = self._clock()

    def focus(self, *, focused: bool) -> None:
        """The terminal reports it; to come or to go is a sign of life too."""
        self._focused = focused
        self.sign()

    @property
    def reports_focus(self) -> bool:
        """Whether the terminal ever did."""
        return self._focused is not None

    @property
    def is_unfocused(self) -> bool:
        """Whether the terminal says that another window has the keys: then the screen need not change each second."""
        return self._focused is False

    @property
    def is_unseen(self) -> bool:
        """Whether an end has to be called out: not focused, or, where nothing reports focus, silent for long."""
        return self._is_silent if self._focused is None else not self._focused

    @property
    def is_present(self) -> bool:
        """Whether what is shown counts as seen: not unfocused, and not silent for long."""
        return self._focused is not False and not self._is_silent

    @property
    def _is_silent(self) -> bool:
        return self._clock() - self._sign_at >= SILENCE_SECONDS
