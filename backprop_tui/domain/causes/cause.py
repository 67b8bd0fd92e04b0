"""Builds causes from untrusted text, and the causes of ends that need no investigation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from backprop_tui.domain.live import Stopping
from backprop_tui.domain.requests import BY_RAM
from backprop_tui.domain.run import Cause
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.slurm import SlurmEnd
from backprop_tui.domain.status import Status
from backprop_tui.domain.word_set import word_set

if TYPE_CHECKING:
    from backprop_tui.domain.causes.tracebacks import LogLine

_MAX_TEXT_LENGTH = 300
_MAX_ADVICE_LENGTH = 1_000  # a command line must stay whole
_MAX_EVIDENCE_LENGTH = 4_000
NAN_ADVICE = "lower the learning rate, clip gradients, or use bf16 instead of fp16; resume from a checkpoint before it"


def build_cause(
    kind: str,
    *,
    summary: str,
    advice: str,
    at: LogLine | None = None,
    evidence: str | None = None,
    retryable: bool = False,
    advised: tuple[str, str, str] | None = None,
) -> Cause:
    """Builds a cause; the line `at`, if given, is its evidence."""
    text = evidence if at is None else at.text.strip()
    return Cause(
        kind=kind,
        evidence=None if text is None else _shortened(text, _MAX_EVIDENCE_LENGTH),
        advice=_shortened(advice, _MAX_ADVICE_LENGTH),
        summary=_shortened(summary, _MAX_TEXT_LENGTH),
        line=None if at is None else at.number,
        retryable=retryable,
        advised=advised,
    )


def _shortened(text: str, length: int) -> str:
    text = sanitize(text)
    return text if len(text) <= length else f"{text[: length - 1]}…"


_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_BATCH = word_set(
    "--batch-size --batch_size --per_device_train_batch_size --train_batch_size --micro-batch-size --batch -b"
)


def binary_size(size_bytes: int) -> str:
    """Formats a size as `2.50 GiB`, like the frameworks do."""
    power = min((max(1, size_bytes).bit_length() - 1) // 10, len(_UNITS) - 1)
    return f"{size_bytes / 1024**power:.2f} {_UNITS[power]}" if power else f"{size_bytes} B"


def decimal_size(size_bytes: int) -> str:
    return f"{size_bytes / 10**9:.1f} GB" if size_bytes >= 10**9 else f"{size_bytes // 10**6} MB"


def batch_option(command: Sequence[str]) -> tuple[str, str] | None:
    """Returns name and value of the batch size option (`--name value` or `--name=value`); None if there is none."""
    for index, word in enumerate(command):
        name, equals, value = word.partition("=")
        if name not in _BATCH:
            continue
        if equals:
            return name, value
        if index + 1 < len(command) and not command[index + 1].startswith("-"):
            return name, command[index + 1]
    return None


def defined_batch_option(options: Iterable[str]) -> str | None:
    """The batch size option among those that a script defines, the long one if there are two."""
    return max((option for option in options if option in _BATCH), key=len, default=None)


def halved(option: str, value: str) -> tuple[str, str, str] | None:
    """The option with its value and half of it; None if that is no number that can be halved."""
    return (option, value, str(int(value) // 2)) if value.isdecimal() and int(value) > 1 else None


PERSON, SESSION_ENDED, MACHINE_RESTARTED = "stopped_by_person", "session_ended", "machine_restarted"
DEPENDENCY = "dependency"

# Ends that are neither the script's nor a person's: a run with retries or slices continues after them.
INTERRUPTIONS = frozenset(
    {SESSION_ENDED, MACHINE_RESTARTED}
    | {SlurmEnd.TIME_LIMIT, SlurmEnd.PREEMPTED, SlurmEnd.NODE_FAILED}
    | {SlurmEnd.REQUEUED, SlurmEnd.SIGNALED, SlurmEnd.GONE}
)

# Ends that a person asked for: there is nothing to investigate.
REQUESTED_ENDS = frozenset({PERSON, SlurmEnd.CANCELLED})

RESUME = "resume starts it again, from its newest checkpoint if it saved one"
AGAIN = "--retries N submits it again; resume does so by hand"
_ADVICE = {
    PERSON: RESUME,
    SESSION_ENDED: "see whether runs survive logout here (linger): backprop-tui doctor; then resume it",
    MACHINE_RESTARTED: RESUME,
    DEPENDENCY: "resume starts it anyway; --after RUN:any accepts any end of the other run",
    "overheated": "let the GPU cool and check its fans; --gpu-max-temp sets the limit, on_overheat the action",
    "memory_limit": "use a smaller batch, or raise --gpu-memory-limit",
    "nan_loss": NAN_ADVICE,
    SlurmEnd.CANCELLED: RESUME,
    SlurmEnd.TIME_LIMIT: "give it less with -m, or a partition with a longer limit; --retries or --until continue it",
    SlurmEnd.PREEMPTED: AGAIN,
    SlurmEnd.NODE_FAILED: AGAIN,
    SlurmEnd.REQUEUED: AGAIN,
    SlurmEnd.SIGNALED: AGAIN,
    SlurmEnd.GONE: AGAIN,
    SlurmEnd.OUT_OF_MEMORY: "ask for more memory with --slurm-memory-gb, or use less",
    "gpu_lost": "see nvidia-smi and dmesg (NVRM: Xid); resume on another GPU (--gpu-ids)",
}
_KINDS_BY_REQUESTER = {"person": PERSON, "session": SESSION_ENDED, BY_RAM: "memory_limit"}
_RAM_ADVICE = "resume it when RAM is free; limit runs that share the machine with --max-parallel and --min-free-ram"


def cause_of_stop(*, by: str, reason: str, kind: str | None) -> Cause:
    """Returns the cause of a requested stop; `reason` has the figures, `kind` is set if a guard gave one."""
    kind = kind or _KINDS_BY_REQUESTER.get(by, "unknown")
    advice = _RAM_ADVICE if by == BY_RAM else _ADVICE.get(kind, RESUME)
    return build_cause(kind, evidence=reason, summary=reason, advice=advice, retryable=kind in INTERRUPTIONS)


def cause_of_recorded_stop(stopping: Stopping) -> Cause | None:
    """Returns the cause of a recorded stop; None for the end of a timebox, which is no failure."""
    if stopping.status is not Status.STOPPED:
        return None
    return cause_of_stop(by=stopping.by, reason=stopping.reason, kind=stopping.cause)


def cause_of_unmet_dependency(reason: str) -> Cause:
    return cause_of_stop(by=DEPENDENCY, reason=reason, kind=DEPENDENCY)


def cause_of_machine_restart(reason: str) -> Cause:
    return cause_of_stop(by=MACHINE_RESTARTED, reason=reason, kind=MACHINE_RESTARTED)


def cause_of_unknown_end(reason: str) -> Cause:
    return build_cause("unknown", evidence=reason, summary=reason, advice=RESUME, retryable=True)
