r"""Splits the end of a log into numbered lines: no escape sequences, states of `\r` bars and ranks kept apart."""

from __future__ import annotations

import re

from backprop_tui.domain.values import dataclass

MAX_LINES = 20_000
_MAX_LINE_LENGTH = 2_000
_BAR_STATES = 3  # the last states of a progress bar, which are searched
_ESCAPES = r"\x1b(?:\[[0-?]*[ -/]*[@-~]?|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~]?)"
# Prefixes that launchers add to the lines of several processes: torch, torchrun --tee, mpirun, ray, srun --label.
_SOURCE = r"(\[rank\d+\]:|\[[a-z]+\d+\]:|\[\d+,\d+\]<std(?:err|out)>:|\(\w[^()]* pid=\d+[^()]*\)|\d{1,4}:) ?"


@dataclass(frozen=True, slots=True)
class LogLine:
    """Text of a line, or of one state of a progress bar; `number` counts from 1, None if unknown."""

    text: str
    number: int | None = None
    source: str = ""  # the launcher's name of the process that printed it

    @property
    def rank(self) -> int | None:
        """The rank that printed the line; None if the line does not say so."""
        match = re.search(r"\d+", self.source) if self.source else None
        return None if match is None else int(match[0])


def lines_of(content: bytes, first_number: int | None) -> tuple[LogLine, ...]:
    """Splits the end of a log into lines, oldest first, including empty ones; the first has the given number."""
    lines: list[LogLine] = []
    rows = content.split(b"\n")
    if rows[-1] == b"":
        rows.pop()
    skipped = max(0, len(rows) - MAX_LINES)
    for index, row in enumerate(rows[skipped:], start=skipped):
        number = None if first_number is None else first_number + index
        lines.extend(_log_line(state, number) for state in _bar_states(row))
    return tuple(lines)


def _bar_states(row: bytes) -> list[bytes]:
    """The states of a progress bar; a traceback may follow the last one without a line end."""
    row = row.removesuffix(b"\r")
    if b"\r" not in row:
        return [row]
    states = [state for state in row.split(b"\r") if state.strip()]
    errors = [state for state in states[:-_BAR_STATES] if b"Traceback" in state or b"Error" in state]
    return [*errors[-_BAR_STATES:], *states[-_BAR_STATES:]] or [b""]


def _log_line(state: bytes, number: int | None) -> LogLine:
    text = state[:_MAX_LINE_LENGTH].decode("utf-8", "replace")
    if "\x1b" in text:
        text = re.sub(_ESCAPES, "", text)
    if text[:1] in "[(0123456789" and (match := re.match(_SOURCE, text)):
        return LogLine(text[match.end() :], number, match[1])
    return LogLine(text, number)
