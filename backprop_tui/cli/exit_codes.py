"""The exit codes, and how the end of a run becomes the exit code of the command that waited for it."""

from __future__ import annotations

import signal
from collections.abc import Iterable

from backprop_tui.domain.status import Status
from backprop_tui.store.fields import JsonObject

OK, NOT_FOUND, LOST, HELD, TIMED_OUT, STOPPED, READER_GONE = 0, 66, 71, 75, 124, 130, 141
_SIGNALLED = 128


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
