"""The exit codes, and how the end of a run becomes the exit code of the command that waited for it."""

from __future__ import annotations

import signal
from collections.abc import Iterable

from backprop_tui.domain.errors import HeldByGovernor, NotFound
from backprop_tui.domain.status import Status
from backprop_tui.store.fields import JsonObject

OK, LOST, TIMED_OUT, STOPPED, READER_GONE = 0, 71, 124, 130, 141
NOT_FOUND, HELD = NotFound.exit_code, HeldByGovernor.exit_code
_SIGNALLED = 128

# For the manual page; a test compares it with docs/commands.md.
MEANINGS = {
    "0": "completed, or ended at the end of its timebox",
    "1": "`doctor` or `service status` found a problem; otherwise the script's own exit code",
    "N": "the script's own exit code",
    "128+N": "ended by a signal that did not come from backprop-tui",
    "2": "wrong usage, a wrong setting, or no such run; `backprop-tui` alone where the dashboard cannot open",
    "66": "script or command not found",
    "69": "`service`: there is no systemd, or it refused; or the kernel, a sandbox or a limit (`ulimit`) is in the way",
    "70": "a fault of backprop-tui, or a Python package that it needs is missing",
    "71": "lost: exit status unknown",
    "73": "the state directory cannot be created or written, or belongs to another user",
    "74": "disk full, another input/output error, or a damaged file of the state directory",
    "75": "the run would have to wait (`--no-wait`, `--dry-run`)",
    "76": "another user could change the state directory or the configuration",
    "124": "`wait --timeout`: a run was still unfinished",
    "130": "stopped by a person or by the guard, or the command was interrupted by Ctrl-C",
    "141": "the reader of the output closed it (as `head` does)",
}


def exit_code_of(record: JsonObject) -> int:
    match record["status"]:
        case Status.COMPLETED | Status.TIMEBOXED:
            return OK
        case Status.STOPPED:
            return STOPPED
        case Status.FAILED:
            code, name = record.get("exit_code"), record.get("signal")
            if isinstance(code, int) and code != 0:
                return code
            return NOT_FOUND if name is None else _SIGNALLED + _signal_number(str(name))
        case _:
            return LOST


def _signal_number(name: str) -> int:
    """The number of a signal such as SIGKILL; real-time signals are recorded as SIG and their number."""
    if name in signal.Signals.__members__:
        return signal.Signals[name].value
    digits = name.removeprefix("SIG")
    return int(digits) if digits.isdecimal() else 0


def first_failure(records: Iterable[JsonObject]) -> int:
    """The exit code of the run that ended badly first; 0 if none did."""
    by_end = sorted(records, key=lambda record: str(record.get("ended_at") or ""))
    return next(filter(None, map(exit_code_of, by_end)), OK)
