"""What is written to a terminal to call somebody who does not look at it: the bell, and a desktop notice.

Two sequences are in use for the latter: OSC 9 (iTerm2, kitty, WezTerm, Ghostty, Windows Terminal's relatives) and
OSC 777 (urxvt, foot, terminals on VTE). A terminal that knows neither ignores both, but some show an unknown one as
text, so one alone is sent: 777 where the environment speaks for it, else 9. tmux and screen hand them on when they are
wrapped; tmux only with `set -g allow-passthrough on`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.values import dataclass

BELL = "\x07"
_TITLE = "backprop"
_LETTERS = 200  # terminals cut it, and screen takes no longer sequences
_ESCAPE = "\x1b"
# By TERM; those on VTE by the variable they set.
_SPEAKS_777 = ("rxvt", "foot")
_VTE = "VTE_VERSION"


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalNotices:
    """What is wanted, and how this terminal is spoken to."""

    bell: bool = False
    osc: bool = False
    uses_777: bool = False
    in_tmux: bool = False
    in_screen: bool = False

    def sequences(self, lines: Sequence[str]) -> str:
        """What to write for these ends; the bell rings once for all of them."""
        said = "".join(map(self._notice, lines)) if self.osc else ""
        return said + (BELL if self.bell and lines else "")

    def _notice(self, line: str) -> str:
        text = sanitize(line)[:_LETTERS].replace(";", ",")
        # Ended by BEL: the usual ESC \ would end screen's wrapping too.
        sequence = f"{_ESCAPE}]777;notify;{_TITLE};{text}\x07" if self.uses_777 else f"{_ESCAPE}]9;{_TITLE}: {text}\x07"
        if self.in_tmux:
            return f"{_ESCAPE}Ptmux;{sequence.replace(_ESCAPE, _ESCAPE * 2)}{_ESCAPE}\\"
        if self.in_screen:
            return f"{_ESCAPE}P{sequence}{_ESCAPE}\\"
        return sequence


def terminal_notices(environment: Mapping[str, str], *, bell: bool, osc: bool) -> TerminalNotices:
    """As the environment tells of the terminal; over SSH it tells little but TERM."""
    term = environment.get("TERM", "")
    return TerminalNotices(
        bell=bell,
        osc=osc,
        uses_777=_VTE in environment or term.startswith(_SPEAKS_777),
        in_tmux="TMUX" in environment,
        in_screen="STY" in environment,
    )
