"""What lifts a check that a run waits on: another threshold for the run, a setting of the machine, or another run."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from enum import StrEnum

from backprop_tui.domain.governor.reasons import Check
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.limits import MACHINE_SETTINGS, MEGABYTE, RunLimits
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import ACTIVE, Status
from backprop_tui.domain.thresholds import THRESHOLDS, Thresholds, as_options, as_settings
from backprop_tui.presentation import durations
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.states import counts_gpus
from backprop_tui.store.fields import JsonObject

_COOLER_CELSIUS = RunLimits().gpu_resume_margin_celsius  # a start waits until a GPU is that much below its limit
_HIGHEST_CELSIUS = RunLimits().gpu_max_temp_celsius  # that is proposed as a limit
_BY_THEMSELVES = frozenset({Check.STARTS, Check.GPU_COUNT, Check.SLURM})  # a retry's pause; a GPU for another run
_MEMORY_STEP = 100 * MEGABYTE  # of a proposed minimum
_NAME_OF_SETTING = {threshold.setting: name for name, threshold in THRESHOLDS.items()}


class RemedyKind(StrEnum):
    """What a remedy changes or opens."""

    EDIT = "edit"  # the run gets `thresholds`
    CONFIGURE = "configure"  # `setting` gets `value`, and the run `thresholds` if they are its own
    RELEASE = "release"  # the queue
    OPEN = "open"  # the run `run_id`
    STOP = "stop"  # the run `run_id`
    MOVE = "move"  # the run to the front of the queue
    RERUN = "rerun"  # with other options
    FIELDS = "fields"  # the form for the fields of the run
    FREE = "free"  # its Slurm job, which is held
    DOCTOR = "doctor"


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """`text` names it in a few words: `max_parallel 3`, `min_free_ram_gb 0, this run`, `stop wav2vec-ft`."""

    kind: RemedyKind
    text: str
    thresholds: Thresholds | None = None
    setting: str = ""
    value: str = ""
    run_id: str = ""

    @property
    def switches_off(self) -> bool:
        """Whether nothing is checked afterwards."""
        return self.value == "0" or (self.thresholds is not None and _value(self.thresholds) == "0")

    @property
    def heats(self) -> bool:
        return self.thresholds is not None and self.thresholds.gpu_max_temp_celsius is not None


def remedies(reason: JsonObject, waiting: KnownRun, runs: Sequence[KnownRun]) -> tuple[Remedy, ...]:
    """The remedies of one failing check, the narrowest first; `runs` are all of the store."""
    if reason.get("check") == Check.SLURM:
        return tuple(_of_slurm(str(reason.get("figure")), waiting))
    return tuple(_remedies(reason, waiting, runs))


def _remedies(reason: JsonObject, waiting: KnownRun, runs: Sequence[KnownRun]) -> Iterator[Remedy]:
    if counts_gpus(reason):
        for decisive in decisive_reasons(waiting.record["hold_reasons"]):
            yield from _limits(decisive) if decisive.get("gpu") is not None else ()
    else:
        yield from _limits(reason)
    match reason.get("check"):
        case Check.QUEUE_HELD:
            yield Remedy(kind=RemedyKind.RELEASE, text="release the queue")
        case Check.DEPENDENCY:
            yield from _awaited(reason, waiting, runs)
        case Check.GPU_COUNT | Check.GPU_MEMORY as check if reason.get("permanent"):
            less = "fewer GPUs" if check == Check.GPU_COUNT else "other options"
            yield Remedy(kind=RemedyKind.RERUN, text=f"rerun with {less}")
        case Check.GPU_COUNT | Check.GPU_MEMORY | Check.PARALLEL:
            yield from _occupants(reason, waiting, runs)
        case Check.PROBE | Check.GPU_HEALTH:
            yield Remedy(kind=RemedyKind.DOCTOR, text="check the machine")


def _limits(reason: JsonObject) -> Iterator[Remedy]:
    """Another threshold, of the run or of the machine."""
    thresholds, machine = own_thresholds(reason), machine_setting(reason)
    if machine is not None:
        yield _configure(*machine)
    if reason.get("check") == Check.PARALLEL:
        thresholds = Thresholds(max_parallel=0)
    if thresholds is not None:
        yield Remedy(kind=RemedyKind.EDIT, text=f"{_short(*as_settings(thresholds))}, this run", thresholds=thresholds)
    if thresholds is not None and machine is None and _helps_later_runs(reason):
        # The limits of a run are settled when it is queued, so the setting alone would not help this one.
        yield replace(_configure(str(reason["setting"]), _value(thresholds)), thresholds=thresholds)


def _helps_later_runs(reason: JsonObject) -> bool:
    """Not the memory that is free now: it may be more than the setting asks for, or too little for a later run."""
    return bool(reason.get("setting")) and reason.get("check") != Check.GPU_MEMORY


def decisive_reasons(reasons: Sequence[JsonObject]) -> Iterator[JsonObject]:
    """The reasons to lift for a start: of those of single GPUs only the nearest with which enough GPUs are usable."""
    yield from (reason for reason in reasons if reason.get("gpu") is None)
    count = next(filter(counts_gpus, reasons), None)
    of_gpus = [reason for reason in reasons if reason.get("gpu") is not None]
    if count is None:
        yield from of_gpus
        return
    missing = max(1, int(_number(count, "limit", 1) - _number(count, "figure", 0)))
    for check in (Check.GPU_MEMORY, Check.GPU_TEMPERATURE):
        alone = [
            reason
            for reason in of_gpus
            if reason.get("check") == check and sum(reason["gpu"] == other["gpu"] for other in of_gpus) == 1
        ]
        alone.sort(key=lambda reason: abs(_number(reason, "limit", 0) - _number(reason, "figure", 0)))
        yield from alone[missing - 1 : missing]


def _number(reason: JsonObject, key: str, default: float) -> float:
    value = reason.get(key)
    return value if isinstance(value, int | float) else default


def _of_slurm(code: str, waiting: KnownRun) -> Iterator[Remedy]:
    from backprop_tui.domain.slurm_reasons import is_held_by_user, may_start_with_less_time, needs_other_options

    if is_held_by_user(code):
        job = (waiting.record.get("slurm") or {}).get("job_id")
        yield Remedy(kind=RemedyKind.FREE, text=f"scontrol release {job}", run_id=waiting.id)
    if may_start_with_less_time(code):
        yield Remedy(kind=RemedyKind.FIELDS, text="edit: a shorter timebox", run_id=waiting.id)
    if needs_other_options(code) or may_start_with_less_time(code):
        yield Remedy(kind=RemedyKind.RERUN, text="rerun with other options", run_id=waiting.id)
    if needs_other_options(code):
        yield Remedy(kind=RemedyKind.STOP, text="cancel it", run_id=waiting.id)


def _configure(setting: str, value: str) -> Remedy:
    return Remedy(kind=RemedyKind.CONFIGURE, text=_short(f"{setting} {value}"), setting=setting, value=value)


def _short(setting: str) -> str:
    """Without the table: `max_load_per_core 0` of `governor.max_load_per_core 0`."""
    return setting.rpartition(".")[2] if "." in setting.partition(" ")[0] else setting


def _awaited(reason: JsonObject, waiting: KnownRun, runs: Sequence[KnownRun]) -> Iterator[Remedy]:
    ids = () if waiting.run is None else [dependency.run for dependency in waiting.run.spec.after]
    for run in runs:
        if run.id in ids and f"({run.id})" in str(reason.get("message")):
            yield Remedy(kind=RemedyKind.OPEN, text=f"open {sanitize(run.label)}", run_id=run.id)


def _occupants(reason: JsonObject, waiting: KnownRun, runs: Sequence[KnownRun]) -> Iterator[Remedy]:
    """The runs of this machine that use what is missing: the GPU, a GPU without enough memory, or any slot."""
    gpus = {reason["gpu"]} if reason.get("gpu") is not None else _full_gpus(waiting.record["hold_reasons"])
    for run in runs:
        if run.status not in ACTIVE or run.status is Status.STOPPING or run.record["host"] != waiting.record["host"]:
            continue
        indices = [gpu.get("index") for gpu in run.record.get("gpus") or ()]
        if reason.get("check") == Check.PARALLEL or any(gpus is None or index in gpus for index in indices):
            yield Remedy(kind=RemedyKind.STOP, text=f"stop {sanitize(run.label)}", run_id=run.id)


def _full_gpus(reasons: Iterable[JsonObject]) -> set[object] | None:
    """The GPUs without enough free memory, where the end of a run helps; None if nothing is known about single ones."""
    of_gpus = [reason for reason in reasons if reason.get("gpu") is not None]
    full = {reason["gpu"] for reason in of_gpus if reason.get("check") == Check.GPU_MEMORY}
    return full if of_gpus else None


def remedy_text(reason: JsonObject, available: Sequence[Remedy], cools_in: float | None = None) -> str:
    """What the table says beside a failing check; `cools_in` is an estimate in seconds, None without one."""
    if cools_in is not None:
        return f"cools in about {durations.eta(cools_in)}"
    if available and not available[0].heats:
        return available[0].text
    if reason.get("check") == Check.GPU_TEMPERATURE:
        return "passes when it is cooler"
    return "passes by itself" if reason.get("check") in _BY_THEMSELVES else "no remedy here"


def own_thresholds(reason: JsonObject) -> Thresholds | None:
    """The threshold of this run with which the check passes; None if no threshold of the run decides it."""
    setting, figure = reason.get("setting"), reason.get("figure")
    if setting is None:
        return Thresholds(max_parallel=0) if reason.get("check") == Check.PARALLEL else None
    name = _NAME_OF_SETTING.get(str(setting))
    if name is None or setting in MACHINE_SETTINGS:
        return None
    if reason.get("check") == Check.GPU_MEMORY:  # without a minimum the run would start without the memory it needs
        fits = int(_number(reason, "figure", 0)) // _MEMORY_STEP * _MEMORY_STEP
        return Thresholds(gpu_min_free_vram_bytes=fits) if fits else None
    if reason.get("check") != Check.GPU_TEMPERATURE:
        return Thresholds(**{name: 0})
    # Without a limit the run would also be on its own while it is active; above the default it would harm the GPU.
    if not isinstance(figure, int | float) or (limit := int(figure) + 1 + _COOLER_CELSIUS) > _HIGHEST_CELSIUS:
        return None
    return Thresholds(gpu_max_temp_celsius=limit)


def machine_setting(reason: JsonObject) -> tuple[str, str] | None:
    """The setting, with its value, that lifts a check that concerns all runs; it applies at once."""
    if reason.get("setting") == "max_parallel" and isinstance(reason.get("figure"), int):
        return "max_parallel", str(reason["figure"] + 1)
    if reason.get("setting") == "governor.starts_per_minute":
        return "governor.starts_per_minute", "0"
    return None


def how_to_change(reasons: Iterable[JsonObject], handle: str | None) -> list[str]:
    """What to type so that a waiting run starts sooner, and later runs too: each a label and a command.

    `handle` is the run, or the group, that is queued; None: nothing is, and the options are for the run to be queued.
    """
    reasons = list(decisive_reasons(list(reasons)))
    own = [(reason, thresholds) for reason in reasons if (thresholds := own_thresholds(reason)) is not None]
    options = " ".join(dict.fromkeys(as_options(thresholds) for _, thresholds in own))
    machine = dict.fromkeys(filter(None, map(_machine_command, reasons)))
    lines = [f"to start it sooner{_no_limit(command)}: {command}" for command in machine]
    lines += [line for reason in reasons if handle is not None for line in _slurm_lines(reason, shlex.quote(handle))]
    if own and handle is None:
        lines.append(f"to start it now{_no_limit(options)}, give: {options}")
    elif own and handle is not None:
        lines.append(f"to start it sooner{_no_limit(options)}: backprop-tui edit {shlex.quote(handle)} {options}")
    later = [
        f"backprop-tui config set {reason['setting']} {_value(thresholds)}"
        for reason, thresholds in own
        if _helps_later_runs(reason)
    ]
    return lines + [f"for later runs: {command}" for command in dict.fromkeys(later)]


def _slurm_lines(reason: JsonObject, handle: str) -> Iterator[str]:
    if reason.get("check") != Check.SLURM:
        return
    from backprop_tui.domain.slurm_reasons import may_start_with_less_time, needs_other_options

    code = str(reason.get("figure"))
    if may_start_with_less_time(code):
        yield f"to start it sooner, with a shorter timebox: backprop-tui edit {handle} -m MINUTES"
    if needs_other_options(code):
        yield f"to ask for something else: backprop-tui edit {handle} with other --slurm- options"


def _value(thresholds: Thresholds) -> str:
    """The value of its only threshold, as the setting is written."""
    return as_options(thresholds).rpartition(" ")[2]


def _no_limit(command: str) -> str:
    return " (0: no limit)" if " 0 " in f"{command} " else ""


def _machine_command(reason: JsonObject) -> str | None:
    if reason.get("check") == Check.QUEUE_HELD:
        return "backprop-tui queue release"
    setting = machine_setting(reason)
    return None if setting is None else f"backprop-tui config set {' '.join(setting)}"
