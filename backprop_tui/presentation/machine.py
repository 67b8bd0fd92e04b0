"""The machine and its governor in words."""

from __future__ import annotations

import re
from dataclasses import asdict
from itertools import takewhile

from backprop_tui.domain.formatting import counted, plain
from backprop_tui.domain.governor.governor_state import GovernorMode, GovernorState
from backprop_tui.domain.governor.reasons import Check
from backprop_tui.domain.governor.tokens import ROUNDING
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.telemetry import GpuProcess, HostReading, Readings
from backprop_tui.presentation import durations, numbers
from backprop_tui.presentation.states import checks_of

SIMULATED = "simulated"


def short_gpu_model(name: str) -> str:
    """The words of a GPU's name that tell it from others: H100, 3090 Ti, 6000 Ada Generation, TITAN V.

    They are its first word with digits and the words behind it, up to a size or a kind of memory.
    """
    words = [word for word in re.split(r"[\s\-]+", sanitize(name)) if word]
    first = next((index for index, word in enumerate(words) if re.search(r"\d", word)), None)
    if first is None:
        return " ".join(words[1:] or words)  # without the vendor
    return " ".join([words[first].removeprefix("RTX"), *takewhile(str.isalpha, words[first + 1 :])])


def no_gpu_note(readings: Readings, *, gpus_known: bool) -> str:
    if readings.probe_problem is not None:
        return f"GPUs unknown: {sanitize(readings.probe)}: {sanitize(readings.probe_problem)}"
    return "no GPU · runs use the CPU" if gpus_known else "the driver has not answered yet"


def gpu_problem(problem: str | None, age_seconds: float, now: float, *, is_measured: bool) -> str:
    """Why a GPU has no current reading: it does not answer, or nobody measures it."""
    since = f" since {durations.clock_of_day(now - age_seconds, now)}" if age_seconds >= 1 else ""
    reason = f" · {sanitize(problem)}" if problem else ""
    return f"{'not answering' if is_measured else 'not measured'}{since}{reason}"


def foreign_process(process: GpuProcess) -> str:
    """A process on a GPU that belongs to none of the shown runs: `pid 40412 (mika, not ours) 31.3 GB`."""
    owner = process.owner or (f"run {process.run}" if process.run else "")
    memory = f" {numbers.memory_size(process.memory_bytes)}" if process.memory_bytes is not None else ""
    return f"pid {process.pid} ({sanitize(owner)}{', ' if owner else ''}not ours){memory}"


def host_line(host: HostReading) -> str:
    cores = "" if host.cores is None else f" on {plain(host.cores)} cores"
    ram = "-" if host.ram_total_bytes is None else numbers.memory(used_ram(host), host.ram_total_bytes)
    parts = [
        f"CPU {numbers.percent(host.cpu_percent)}",
        f"load {load(host.load_1m)}{cores}",
        f"RAM {ram}",
        f"disk {numbers.size(host.disk_free_bytes)} free",
    ]
    return ", ".join(parts)


def load(load_1m: float | None) -> str:
    return numbers.NOTHING if load_1m is None else f"{load_1m:.1f}"


def used_ram(host: HostReading) -> int | None:
    total, available = host.ram_total_bytes, host.ram_available_bytes
    return None if total is None or available is None else max(0, total - available)


OPEN, WAITING, CONSERVATIVE, HELD, STARTING = "open", "waiting", "conservative", "held", "starting"
HELD_HINT = "H releases"  # a key and what it does, which a click on it does, too
_STATES = {GovernorMode.OPEN: OPEN, GovernorMode.HOLDING: WAITING, GovernorMode.CONSERVATIVE: CONSERVATIVE}
_TITLES = {OPEN: "queue open", HELD: "queue held", STARTING: "starting the background process …"}


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class GovernorLine:
    """`state` is one of the constants of this module; the most blocking reason comes first.

    The clauses of a waiting queue are about its first run; `behind` counts the others.
    """

    state: str
    clauses: tuple[str, ...]
    behind: int = 0

    @property
    def title(self) -> str:
        return _TITLES.get(self.state, self.state)


def governor_line(governor: GovernorState | None, *, waiting: int, elsewhere: int = 0) -> GovernorLine:
    """The governor for the dashboard; None is a machine without a living supervisor.

    `waiting` are the queued runs of this machine as the dashboard counts them, which the governor may not have seen
    yet; `elsewhere` are those of other machines.
    """
    if governor is None:
        return GovernorLine(state=STARTING, clauses=())
    if governor.queue_held:
        return held_line(governor.active)
    state = _STATES[governor.state]
    if state != OPEN and (waiting or state != WAITING):
        reasons = tuple(sanitize(reason["message"]) for reason in checks_of(map(asdict, governor.reasons)))
        return GovernorLine(state=state, clauses=reasons, behind=max(0, waiting - 1))
    if not waiting and not governor.active:
        return idle_line(elsewhere)
    room = room_clauses(governor.active, governor.max_parallel, governor.start_tokens)
    return GovernorLine(state=OPEN, clauses=room)


def idle_line(elsewhere: int) -> GovernorLine:
    waits = f"{counted(elsewhere, 'run')} waiting on other machines" if elsewhere else "nothing is waiting"
    return GovernorLine(state=OPEN, clauses=(waits,))


def held_line(active: int) -> GovernorLine:
    still_running = f", {active} still running" if active else ""
    return GovernorLine(state=HELD, clauses=(f"nothing new starts{still_running}", HELD_HINT))


def status_clauses(governor: GovernorState) -> list[str]:
    """The state with the room that is left, then every reason that holds runs."""
    is_held = any(reason.check is Check.QUEUE_HELD for reason in governor.reasons)
    title = GovernorLine(state=HELD if is_held else _STATES[governor.state], clauses=()).title
    room = ", ".join(room_clauses(governor.active, governor.max_parallel, governor.start_tokens))
    return [f"{title}: {room}", *(reason.message for reason in governor.reasons)]


def room_clauses(active: int, max_parallel: int, start_tokens: float | None) -> tuple[str, ...]:
    """What may still start: `1 of 2 slots used`, `3 starts left`."""
    if max_parallel <= 0:
        slots = f"{active} running"
    elif active > max_parallel:  # runs may bring a higher limit of their own
        slots = f"{active} running (limit for new runs: {max_parallel})"
    else:
        slots = f"{active} of {max_parallel} slots used"
    if start_tokens is None:
        return (slots,)
    return slots, f"{counted(int(start_tokens + ROUNDING), 'start')} left"
