"""Notifications when a run ends: a line in the window, escape sequences for the terminal, and the user's own command.

There are two sequences for desktop notifications: OSC 9 (iTerm2, kitty, WezTerm, Ghostty, relatives of Windows
Terminal) and OSC 777 (urxvt, foot, terminals on VTE). A terminal that knows neither ignores both, but some show an
unknown one as text. Therefore only one is sent: 777 if the environment names a terminal that knows it, otherwise 9.
tmux and screen pass them on when they are wrapped; tmux only with `set -g allow-passthrough on`.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence

from textual.notifications import Notification

from backprop_tui.domain.formatting import time_or_none
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import ENDED, Status
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.states import cause_text, is_problem
from backprop_tui.store.files import read_bytes, write_atomically
from backprop_tui.store.home import Home
from backprop_tui.store.locks import wait_for_lock
from backprop_tui.tui.snapshot import Snapshot

BELL = "\x07"
_ESCAPE = "\x1b"
_MAX_NAME_LETTERS = 60
_MAX_LETTERS = 200  # terminals cut longer texts, and screen does not accept longer sequences
_TERMS_WITH_777 = ("rxvt", "foot")  # beginnings of TERM
_MAX_HANDLED = 1000  # ends that are remembered
_LOCK_SECONDS = 2.0


class KeyNotice(Notification):
    """Says that a key does nothing here; the next key that does something ends it."""


class EventNotice(Notification):
    """A message in the window about what happened by itself: it hides no answer to a key."""


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """The end of a run, with sanitised text; `at` is the time as in the record."""

    run_id: str
    name: str
    status: str
    cause: str
    at: str
    is_problem: bool
    stopped_by_user: bool

    @property
    def text(self) -> str:
        """One line: `vit failed: CUDA out of memory`."""
        name = self.name if len(self.name) <= _MAX_NAME_LETTERS else self.name[: _MAX_NAME_LETTERS - 1] + "…"
        return f"{name} {self.status}" + (f": {self.cause}" if self.cause else "")


def ends_between(before: Snapshot, after: Snapshot) -> tuple[RunEnd, ...]:
    """The ends in between, oldest first; a run that is not in `before` counts if it ended after that."""
    statuses = {run.id: run.status for run in before.runs}
    ended = [run for run in after.runs if run.status in ENDED and _is_new_end(run, statuses.get(run.id), before)]
    return tuple(map(_describe_end, reversed(ended)))


def _is_new_end(run: KnownRun, status_before: Status | None, before: Snapshot) -> bool:
    if status_before is not None:
        return status_before not in ENDED
    ended_at = time_or_none(run.record.get("ended_at"))
    return ended_at is not None and ended_at > before.moment.wall


def _describe_end(run: KnownRun) -> RunEnd:
    return RunEnd(
        run_id=run.id,
        name=sanitize(run.label),
        status=run.status.value,
        cause=cause_text(run.record) if is_problem(run) else "",
        at=str(run.record.get("ended_at")),
        is_problem=is_problem(run),
        stopped_by_user=run.status is Status.STOPPED and not is_problem(run),
    )


def summarize_ends(ends: Sequence[RunEnd], most: int) -> list[str]:
    """A line for each end, but at most `most` lines: then the last one counts the remaining ends."""
    if len(ends) <= most:
        return [end.text for end in ends]
    remaining = ends[most - 1 :]
    problems = sum(end.is_problem for end in remaining)
    more = f"{len(remaining)} more runs ended"
    return [*(end.text for end in ends[: most - 1]), f"{more}, {problems} with problems" if problems else more]


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class TerminalNotifier:
    """Which notifications are enabled, and which sequences this terminal understands."""

    bell: bool = False
    osc: bool = False
    uses_777: bool = False
    in_tmux: bool = False
    in_screen: bool = False

    def sequences(self, lines: Sequence[str]) -> str:
        notifications = "".join(map(self._notification, lines)) if self.osc else ""
        return notifications + (BELL if self.bell and lines else "")

    def _notification(self, line: str) -> str:
        text = sanitize(line)[:_MAX_LETTERS].replace(";", ",")
        # Terminated by BEL: the usual ESC \ would also terminate the wrapping for screen.
        sequence = f"{_ESCAPE}]777;notify;backprop;{text}\x07" if self.uses_777 else f"{_ESCAPE}]9;backprop: {text}\x07"
        if self.in_tmux:
            return f"{_ESCAPE}Ptmux;{sequence.replace(_ESCAPE, _ESCAPE * 2)}{_ESCAPE}\\"
        return f"{_ESCAPE}P{sequence}{_ESCAPE}\\" if self.in_screen else sequence


def terminal_notifier(environment: Mapping[str, str], *, bell: bool, osc: bool) -> TerminalNotifier:
    """The notifier for the terminal that the environment describes; over SSH there is little more than TERM."""
    return TerminalNotifier(
        bell=bell,
        osc=osc,
        uses_777="VTE_VERSION" in environment or environment.get("TERM", "").startswith(_TERMS_WITH_777),
        in_tmux="TMUX" in environment,
        in_screen="STY" in environment,
    )


class EndCommand:
    """Starts the user's command when a run ends, once per end however many dashboards are open, and reaps it.

    The command gets its information in environment variables and runs without a shell, unless it names one. Not
    thread-safe; other processes may do the same at the same time.
    """

    def __init__(self, home: Home, command: str | None) -> None:
        self._home, self._path = home, home.notified_ends
        self._command = command
        self._started: list[int] = []  # pids of children that are not reaped yet

    def run(self, ends: Iterable[RunEnd]) -> str | None:
        """Starts the command for each end that no dashboard handled yet; returns the problem if it cannot start.

        Raises:
            StorageFailed: the list of handled ends cannot be read or written.
        """
        self._started = [pid for pid in self._started if os.waitpid(pid, os.WNOHANG)[0] == 0]
        try:
            command = shlex.split(self._command or "")
        except ValueError as error:
            return f"notify.command: {error}"
        for end in self._claim(tuple(ends)) if command else ():
            try:
                self._started.append(_start(command, end))
            except OSError as error:
                return f"notify.command: {command[0]}: {error.strerror}"
        return None

    def _claim(self, ends: tuple[RunEnd, ...]) -> list[RunEnd]:
        """The ends that no dashboard of this machine handled; they are recorded as handled."""
        if not ends or self._home.foreign_owner() is not None:
            return []
        lock = wait_for_lock(self._path + ".lock", seconds=_LOCK_SECONDS)
        if lock is None:
            return []  # another dashboard holds it: better no notification than several
        with lock:
            handled = (read_bytes(self._path) or b"").decode("ascii", "replace").splitlines()
            new = [end for end in ends if _key(end) not in handled]
            if new:
                kept = [*handled, *map(_key, new)][-_MAX_HANDLED:]
                write_atomically(self._path, "\n".join(kept).encode("ascii", "replace") + b"\n", durable=False)
        return new


def _key(end: RunEnd) -> str:
    return f"{end.run_id} {end.at}"


def _start(command: list[str], end: RunEnd) -> int:
    """Starts the command in a session of its own, so that it continues when the dashboard is closed."""
    # Not the names of the variables that scripts get: by those the processes of a run are found and killed.
    variables = {
        "BACKPROP_ENDED_RUN": end.run_id,
        "BACKPROP_ENDED_NAME": end.name,
        "BACKPROP_ENDED_STATUS": end.status,
        "BACKPROP_ENDED_CAUSE": end.cause,
        "BACKPROP_ENDED_AT": end.at,
    }
    return os.posix_spawnp(
        command[0],
        command,
        os.environ | variables,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
