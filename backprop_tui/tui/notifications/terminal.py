"""Escape sequences that notify somebody who does not look at the terminal: the bell, and a desktop notification.

There are two sequences for desktop notifications: OSC 9 (iTerm2, kitty, WezTerm, Ghostty, relatives of Windows
Terminal) and OSC 777 (urxvt, foot, terminals on VTE). A terminal that knows neither ignores both, but some show an
unknown one as text. Therefore only one is sent: 777 if the environment names a terminal that knows it, otherwise 9.
tmux and screen pass them on when they are wrapped; tmux only with `set -g allow-passthrough on`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.sanitize import sanitize

BELL = "\x07"
_TITLE = "backprop"
_MAX_LETTERS = 200  # terminals cut longer texts, and screen does not accept longer sequences
_ESCAPE = "\x1b"
_TERMS_WITH_777 = ("rxvt", "foot")  # beginnings of TERM
_VTE = "VTE_VERSION"


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class TerminalNotifier:
    """Which notifications are enabled, and which sequences this terminal understands."""

    bell: bool = False
    osc: bool = False
    uses_777: bool = False
    in_tmux: bool = False
    in_screen: bool = False

    def sequences(self, lines: Sequence[str]) -> str:
        """The sequences for these lines; the bell rings once for all of them."""
        notifications = "".join(map(self._notification, lines)) if self.osc else ""
        return notifications + (BELL if self.bell and lines else "")

    def _notification(self, line: str) -> str:
        text = sanitize(line)[:_MAX_LETTERS].replace(";", ",")
        # Terminated by BEL: the usual ESC \ would also terminate the wrapping for screen.
        sequence = f"{_ESCAPE}]777;notify;{_TITLE};{text}\x07" if self.uses_777 else f"{_ESCAPE}]9;{_TITLE}: {text}\x07"
        if self.in_tmux:
            return f"{_ESCAPE}Ptmux;{sequence.replace(_ESCAPE, _ESCAPE * 2)}{_ESCAPE}\\"
        if self.in_screen:
            return f"{_ESCAPE}P{sequence}{_ESCAPE}\\"
        return sequence


def terminal_notifier(environment: Mapping[str, str], *, bell: bool, osc: bool) -> TerminalNotifier:
    """The notifier for the terminal that the environment describes; over SSH there is little more than TERM."""
    term = environment.get("TERM", "")
    return TerminalNotifier(
        bell=bell,
        osc=osc,
        uses_777=_VTE in environment or term.startswith(_TERMS_WITH_777),
        in_tmux="TMUX" in environment,
        in_screen="STY" in environment,
    )
