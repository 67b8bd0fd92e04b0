"""Whether somebody is looking at the window, as far as focus reports and input tell.

Most terminals report focus (xterm's mode 1004), and tmux does with `focus-events on`. Until the first such report a
window counts as looked at while keys or the mouse were used recently.
"""

from __future__ import annotations

import time
from collections.abc import Callable

SILENCE_SECONDS = 600.0  # without input for this long nobody is there, focused or not (the screen may be locked)


class WindowFocus:
    """Focus and activity, recorded by the application; the bridge's thread reads it too."""

    __slots__ = ("_clock", "_focused", "_last_activity")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._focused: bool | None = None
        self._last_activity = clock()

    def note_activity(self) -> None:
        """Record a key, a mouse event or a paste."""
        self._last_activity = self._clock()

    def set_focused(self, *, focused: bool) -> None:
        """Record a focus report of the terminal, which is activity too."""
        self._focused = focused
        self.note_activity()

    @property
    def reports_focus(self) -> bool:
        """Whether the terminal has ever reported focus."""
        return self._focused is not None

    @property
    def is_unfocused(self) -> bool:
        """Whether the terminal says that another window has the focus; the screen need not change each second then."""
        return self._focused is False

    @property
    def is_unseen(self) -> bool:
        """Whether the end of a run needs a notification: unfocused, or silent where the terminal reports no focus."""
        return self._is_silent if self._focused is None else not self._focused

    @property
    def is_present(self) -> bool:
        """Whether what is on the screen counts as seen: not unfocused and not silent for long."""
        return self._focused is not False and not self._is_silent

    @property
    def _is_silent(self) -> bool:
        return self._clock() - self._last_activity >= SILENCE_SECONDS
