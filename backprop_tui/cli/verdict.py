"""What the governor would say: for `--dry-run`, and for `--no-wait` before anything is written."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict

from backprop_tui.cli import diagnostics, output
from backprop_tui.cli.exit_codes import HELD, OK
from backprop_tui.cli.session import Session
from backprop_tui.domain.formatting import duration, gigabytes_up, plain
from backprop_tui.domain.governor.admission import Admit, Hold
from backprop_tui.domain.invocation import arguments, environment
from backprop_tui.domain.lifecycle import begin, timebox_seconds
from backprop_tui.domain.run import Run
from backprop_tui.domain.slices import is_sliced
from backprop_tui.domain.telemetry import Readings
from backprop_tui.domain.times import iso
from backprop_tui.presentation.run_line import slice_line
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.run_codec import public


def decisions_of(session: Session, runs: Sequence[Run], measured: Readings | None) -> tuple[Admit | Hold, ...]:
    """Whether each would start now, those before it counted.

    Raises:
        ConfigError: the limits of the machine are wrong.
    """
    from backprop_tui.engine.preview import preview  # the engine, for once

    return preview(session.home, session.config_path, runs, measured)


def measured_now(session: Session, run: Run) -> Readings | None:
    """With the probe that the run asks for, where nobody samples; None where somebody does, or nothing is found out."""
    from backprop_tui.cli.own_sampler import OwnSampler
    from backprop_tui.config.machine import machine_limits, machine_probe
    from backprop_tui.domain.governor.freshness import is_stale
    from backprop_tui.launchers.sampler_process import READINGS
    from backprop_tui.probes.readings_file import read_readings

    asked = run.spec.gpu_probe
    probe = machine_probe(session.config_path) if asked == "auto" else asked
    seconds = machine_limits(session.config_path).sample_seconds
    known = read_readings(session.home.host_file(READINGS))
    if probe == "none" or run.spec.gpus == 0 or (known and not is_stale(time.time() - known.time, seconds)):
        return None
    sample = OwnSampler(session.home, probe=probe, sample_seconds=seconds).sample()
    return None if sample is None else sample.readings


def refused(session: Session, run: Run) -> int | None:
    """`--no-wait`: says why the run would have to wait and gives the exit code; None where it would start."""
    (found,) = decisions_of(session, (run,), measured_now(session, run))
    if isinstance(found, Admit):
        return None
    words = "; ".join(reason.message for reason in found.reasons)
    if session.json:
        time_said = iso(time.time())
        output.json_line({"event": "held", "time": time_said, "run": run.id, "reasons": _reasons(found)})
    diagnostics.complain(f"not started, held by the governor: {words}")
    return HELD


def rehearse(session: Session, runs: Sequence[Run], captured: dict[str, str], given: Sequence[tuple[str, str]]) -> int:
    """`--dry-run`: shows what would be started and what the governor says to the first; the exit code.

    Args:
        session: This invocation.
        runs: What would be queued.
        captured: The environment each run gets, before what it is told.
        given: The variables of --env.
    """
    measured = measured_now(session, runs[0])
    decisions = decisions_of(session, runs, measured)
    if session.json:
        shown = [_json(session, run, found, captured) for run, found in zip(runs, decisions, strict=True)]
        output.json_value(shown[0] if len(shown) == 1 else shown)
    else:
        for run, found in zip(runs, decisions, strict=True):
            _show(session, run, found, given)
    return OK if isinstance(decisions[0], Admit) else HELD


def _json(session: Session, run: Run, found: Admit | Hold, captured: dict[str, str]) -> JsonObject:
    attempt = _begun(run, found)
    folder = session.home.run_folder(run.id)
    told = environment(attempt, folder, captured)
    return {
        "run": public(run, folder),
        "verdict": "start" if isinstance(found, Admit) else "held",
        "reasons": _reasons(found) if isinstance(found, Hold) else [],
        "command": list(arguments(attempt)),
        "interpreter_origin": run.spec.python_origin,
        "environment": {name: value for name, value in told.items() if captured.get(name) != value},
    }


def _show(session: Session, run: Run, found: Admit | Hold, given: Sequence[tuple[str, str]]) -> None:
    import shlex

    attempt = _begun(run, found)
    told = environment(attempt, session.home.run_folder(run.id), {}) | dict(given)
    rows = [("run", run.name + (f" in group {run.group}" if run.group else ""))]
    rows.append(("command", shlex.join(arguments(attempt))))
    if run.spec.python_origin is not None:
        rows.append(("interpreter", f"{run.spec.command[0]}: {run.spec.python_origin}"))
    rows.append(("directory", run.spec.cwd))
    rows += [("environment" if first else "", f"{name}={value}") for first, (name, value) in _marked(told)]
    rows.append(("timebox", _timebox(run)))
    if is_sliced(run.spec):
        rows.append(("slice", slice_line(run)))
    rows.append(("starts when", _conditions(run)))
    rows.append(("verdict", _verdict(found)))
    for name, value in rows:
        output.line(f"{name:<12} {value}")


def _marked(told: dict[str, str]) -> list[tuple[bool, tuple[str, str]]]:
    return [(number == 0, pair) for number, pair in enumerate(sorted(told.items()))]


def _begun(run: Run, found: Admit | Hold) -> Run:
    """The run as its first attempt would have it."""
    placement = found.placement if isinstance(found, Admit) else None
    gpus = () if placement is None or placement.gpus is None else placement.gpus
    return begin(run, now=run.created_at, boot_id="", gpus=gpus)


def _timebox(run: Run) -> str:
    limit, stop = timebox_seconds(run), run.spec.stop
    if limit is None:
        return "none"
    warning = "" if stop.warn_signal is None else f"{stop.warn_signal} {plain(stop.warn_seconds)} s before; "
    ending = f"{stop.stop_signal}, TERM {plain(stop.grace_seconds)} s later, KILL 5 s after that"
    return f"{duration(limit)}; {warning}then {ending}"


def _conditions(run: Run) -> str:
    limits = run.spec.limits
    parts = [f"{gigabytes_up(limits.min_free_ram_bytes)} GB of RAM free"] if limits.min_free_ram_bytes else []
    if limits.max_parallel:
        parts.append(f"fewer than {limits.max_parallel} runs active")
    if limits.max_load_per_core:
        parts.append(f"load per core below {plain(limits.max_load_per_core)}")
    if limits.min_free_disk_bytes:
        parts.append(f"{gigabytes_up(limits.min_free_disk_bytes)} GB of disk free")
    if run.spec.gpus != 0 and limits.gpu_min_free_vram_bytes:
        parts.append(f"on a GPU {gigabytes_up(limits.gpu_min_free_vram_bytes)} GB free")
    if run.spec.gpus != 0 and limits.gpu_max_temp_celsius:
        parts.append(f"below {plain(limits.gpu_max_temp_celsius)} C")
    return ", ".join(parts) or "at any time"


def _verdict(found: Admit | Hold) -> str:
    if isinstance(found, Hold):
        return "held: " + "; ".join(reason.message for reason in found.reasons)
    gpus = found.placement.gpus
    return "starts now" + (f" on GPU {', '.join(str(gpu.index) for gpu in gpus)}" if gpus else "")


def _reasons(hold: Hold) -> list[JsonObject]:
    return [asdict(reason) for reason in hold.reasons]
