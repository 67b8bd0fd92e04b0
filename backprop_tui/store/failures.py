"""Processes of ours that ended with an error: how often in a row, why, and when the next one may be started.

Each subject has a small file in the host's directory. The process that fails writes it; the
process that would start the next one reads it, and front ends show it.
"""

from __future__ import annotations

import os
import time

from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.formatting import duration
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.processes.linux import boot_id
from backprop_tui.store.codec import decode, encode
from backprop_tui.store.fields import WrongField
from backprop_tui.store.files import dump, read_object, write_atomically
from backprop_tui.store.home import RUN_ID, Home

SUPERVISOR, SAMPLER = ".supervisor", ".sampler"  # no id of a run, which is the subject of guardians, begins with a dot
MAX_PAUSE_SECONDS = 60.0
STEADY_SECONDS = 60.0  # what has worked this long since its start begins to count anew
_REASON_CHARACTERS = 300


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The newest of `count` failures in a row, at the monotonic time `mark` of a boot."""

    reason: str
    count: int
    mark: float
    boot_id: str

    @property
    def pause_seconds(self) -> float:
        """The first failure may be a chance: what failed is started again at once. Then 1, 2, 4 ... 60 s later."""
        return 0.0 if self.count < 2 else min(2.0 ** min(self.count - 2, 10), MAX_PAUSE_SECONDS)

    def seconds_left(self) -> float:
        """Until it may be started again."""
        return min(max(0.0, self.mark + self.pause_seconds - time.monotonic()), MAX_PAUSE_SECONDS)

    @property
    def is_over(self) -> bool:
        """Whether what was started after it has been working since."""
        age = time.monotonic() - self.mark
        return self.boot_id != boot_id() or not 0 <= age <= self.pause_seconds + STEADY_SECONDS

    def __str__(self) -> str:
        left = self.seconds_left()
        again = f"; again in {duration(max(1.0, left))}" if left > 0 else ""
        return f"failed {self.count} times: {self.reason}{again}"


def note_failure(home: Home, subject: str, reason: str, after: Failure | None = None) -> Failure:
    """Records a failure. Where no file can be written it is only returned; `after` is the one that was before it."""
    previous = failure_of(home, subject) or (None if after is None or after.is_over else after)
    failure = Failure(
        reason=reason[:_REASON_CHARACTERS],
        count=1 if previous is None else previous.count + 1,
        mark=time.monotonic(),
        boot_id=boot_id(),
    )
    try:
        os.makedirs(home.failures, mode=0o700, exist_ok=True)
        write_atomically(_path(home, subject), dump(encode(failure)), durable=False)
    except (BackpropError, OSError):
        pass  # the process that starts the next one counts too
    return failure


def failure_of(home: Home, subject: str) -> Failure | None:
    """The failures in a row of what may be working now; None if there were none, or they are over."""
    try:
        source = read_object(_path(home, subject))
        failure = None if source is None else decode(Failure, source)
    except (BackpropError, WrongField):
        return None
    return None if failure is None or failure.is_over else failure


def repeated_failure(home: Home, subject: str) -> Failure | None:
    """The same, if it is worth showing: what failed once was replaced at once."""
    failure = failure_of(home, subject)
    return failure if failure is not None and failure.count > 1 else None


def failing(home: Home) -> list[str]:
    """The subjects that have failed."""
    try:
        return sorted(name for name in os.listdir(home.failures) if not name.endswith(".tmp"))
    except OSError:
        return []


def forget_failures(home: Home, subject: str) -> None:
    try:
        os.unlink(_path(home, subject))
    except OSError:
        return


def forget_failures_of_gone_runs(home: Home) -> None:
    """Removes what is left of runs that were removed, or have ended, while no supervisor looked."""
    for subject in failing(home):
        if RUN_ID.fullmatch(subject) and not os.path.lexists(home.marker(subject)):
            forget_failures(home, subject)


def describe(error: BaseException) -> str:
    """What an error says, and for one that nobody foresaw its kind and place."""
    from backprop_tui.domain.sanitize import sanitize  # only for errors

    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, BackpropError):
        return str(error)
    place, trace = "", error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        place = f" ({os.path.basename(code.co_filename)}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return sanitize(f"{type(error).__name__}: {error}{place}")


def _path(home: Home, subject: str) -> str:
    return os.path.join(home.failures, subject)
