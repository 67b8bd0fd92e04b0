r"""The end of a log as numbered lines: without escape sequences, each state of a `\r` bar apart, ranks told apart."""

from __future__ import annotations

import re

from backprop_tui.domain.values import dataclass

MOST_LINES = 20_000
_LONGEST = 2_000  # of a line; a message that says more has said it by then
_STATES = 3  # of a progress bar that are worth looking at: the last ones
_ESCAPES = r"\x1b(?:\[[0-?]*[ -/]*[@-~]?|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~]?)"
# What launchers put before a line of one of several processes: torch, torchrun --tee, mpirun, ray, srun --label.
_SOURCE = r"(\[rank\d+\]:|\[[a-z]+\d+\]:|\[\d+,\d+\]<std(?:err|out)>:|\(\w[^()]* pid=\d+[^()]*\)|\d{1,4}:) ?"


@dataclass(frozen=True, slots=True)
class LogLine:
    """Text of a line, or of one state of it; `number` is from 1, None where it is not known."""

    text: str
    number: int | None = None
    source: str = ""  # which of several processes said it, as its launcher named it

    @property
    def rank(self) -> int | None:
        """The rank that said it; None where the line does not say so."""
        found = re.search(r"\d+", self.source) if self.source else None
        return None if found is None else int(found[0])


def lines_of(content: bytes, first_number: int | None) -> tuple[LogLine, ...]:
    """The lines of the end of a log, oldest first, empty ones too; the first has the number that is given."""
    lines: list[LogLine] = []
    rows = content.split(b"\n")
    if rows[-1] == b"":
        rows.pop()
    skipped = max(0, len(rows) - MOST_LINES)
    for place, row in enumerate(rows[skipped:], start=skipped):
        number = None if first_number is None else first_number + place
        lines.extend(_line(state, number) for state in _states(row))
    return tuple(lines)


def _states(row: bytes) -> list[bytes]:
    """A bar writes its states over each other; a traceback may follow behind the last one without a line end."""
    row = row.removesuffix(b"\r")
    if b"\r" not in row:
        return [row]
    states = [state for state in row.split(b"\r") if state.strip()]
    telling = [state for state in states[:-_STATES] if b"Traceback" in state or b"Error" in state]
    return [*telling[-_STATES:], *states[-_STATES:]] or [b""]


def _line(state: bytes, number: int | None) -> LogLine:
    text = state[:_LONGEST].decode("utf-8", "replace")
    if "\x1b" in text:
        text = re.sub(_ESCAPES, "", text)
    if text[:1] in "[(0123456789" and (found := re.match(_SOURCE, text)):
        return LogLine(text[found.end() :], number, found[1])
    return LogLine(text, number)
