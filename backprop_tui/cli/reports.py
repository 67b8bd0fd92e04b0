"""What commands print about what they did to runs, or with --dry-run would do, and about runs not yet queued."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, NoReturn

from backprop_tui.cli import diagnostics, output
from backprop_tui.cli.exit_codes import HELD, OK
from backprop_tui.cli.session import Interrupts, Session
from backprop_tui.domain.errors import HeldByGovernor, UsageError
from backprop_tui.domain.formatting import counted, disk_gigabytes_up, duration, gigabytes_up, plain
from backprop_tui.domain.invocation import resumes_by
from backprop_tui.domain.lifecycle import is_sliced, timebox_seconds
from backprop_tui.domain.run import DEFAULT_TIMEBOX_SECONDS, SLURM, Run
from backprop_tui.domain.secrets import MASK, is_secret, mask_words
from backprop_tui.domain.status import ACTIVE, ENDED
from backprop_tui.presentation import numbers
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.run_directory import RunDirectory

if TYPE_CHECKING:
    from backprop_tui.client.control import AnyControlRequest, ControlOutcome, Refusal
    from backprop_tui.client.dry_run import RunPreview
    from backprop_tui.client.remove import Removable
    from backprop_tui.client.runs import FileSizes


_PER_RUN = ("run", "command", "verdict")  # rows of a preview that a sweep shows in another way


def follow_queued(
    session: Session,
    arguments: argparse.Namespace,
    run_ids: Sequence[str],
    interrupts: Interrupts,
    *,
    as_array: bool = False,
    starts: Mapping[str, FileSizes] | None = None,
    before: Run | None = None,
) -> int:
    """After queueing: prints the ids with --detach, else follows the runs or shows the dashboard; the exit code."""
    if arguments.detach and session.json:
        records = [RunDirectory(session.home.run_folder(run_id)).shown() for run_id in run_ids]
        output.json_value(records if as_array else records[0])
    elif arguments.detach:
        for run_id in run_ids:
            output.line(run_id)
        hint = _timebox_hint(session, arguments, run_ids)
        if hint is not None:
            diagnostics.say(f"timebox: {duration(DEFAULT_TIMEBOX_SECONDS)} from the start ({hint})")
    elif session.dashboard is None or arguments.no_wait or not _has_textual():
        from backprop_tui.cli.following import follow  # loaded while the supervisor starts the run

        wait, hint = not arguments.no_wait, _timebox_hint(session, arguments, run_ids)
        return follow(session, run_ids, interrupts, starts=starts, before=before, hint=hint, wait_when_held=wait)
    else:
        interrupts.release()
        return session.dashboard(session.home, session.config_path, run_ids[0], False)
    return OK


def _has_textual() -> bool:
    """Whether the dashboard can be opened; says so if not, since a run that is queued is followed all the same."""
    from backprop_tui.processes.programs import is_installed

    if is_installed("textual"):
        return True
    diagnostics.complain("no dashboard: Textual is not installed; backprop-tui doctor says how to install it")
    return False


def _timebox_hint(session: Session, arguments: argparse.Namespace, run_ids: Sequence[str]) -> str | None:
    """How to change the timebox, if it is the default and nobody has asked for that."""
    run = RunDirectory(session.home.run_folder(run_ids[0])).read()
    is_default = run.spec.max_run_seconds == DEFAULT_TIMEBOX_SECONDS and not is_sliced(run.spec)
    if arguments.max_run_seconds is not None or not is_default:
        return None
    handle = run.id if len(run_ids) == 1 else run.group or run.id
    return f"change: backprop-tui edit {shlex.quote(handle)} -m 60; for the next run: -m 60, -m none"


def print_would(session: Session, run_ids: Sequence[str], done: str) -> int:
    from backprop_tui.client.runs import current
    from backprop_tui.domain.run_names import spelled

    records = [current(session, run_id) for run_id in run_ids]
    if session.json:
        output.json_value(records)
    else:
        for record in records:
            output.line(f"{record['id']} {spelled(record['name'])} ({record['status']}): would be {done}")
    return OK


def print_outcomes(
    session: Session, outcomes: Sequence[ControlOutcome | Refusal], done: str, *, of_ended: str | None = None
) -> int:
    """Says for each run that it is done, or why not; the exit code.

    `of_ended` is what was done to runs that have ended; None: nothing, their end is printed instead.
    """
    from backprop_tui.client.control import ControlOutcome
    from backprop_tui.client.runs import current

    run_ids = [outcome.run.id for outcome in outcomes if isinstance(outcome, ControlOutcome)]
    errors = [outcome.error for outcome in outcomes if not isinstance(outcome, ControlOutcome)]
    if session.json:
        records = [current(session, run_id) for run_id in run_ids]
        output.json_error(errors[0], **({"runs": records} if records else {})) if errors else output.json_value(records)
    for outcome in outcomes:
        if not isinstance(outcome, ControlOutcome):
            diagnostics.complain(str(outcome.error))
        elif not session.json:
            output.line(f"{outcome.run.id} {outcome.run.label}: {_outcome_text(outcome, done, of_ended)}")
    return errors[0].exit_code if errors else OK


def _outcome_text(outcome: ControlOutcome, done: str, of_ended: str | None) -> str:
    if outcome.run.status not in ENDED:
        return done
    if of_ended is not None:
        return of_ended
    return f"had ended already: {outcome.run.status}" if outcome.had_ended else str(outcome.run.status)


def control_active(
    session: Session,
    handles: Sequence[str],
    requests: Callable[[Session, Sequence[str]], Sequence[AnyControlRequest]],
    done: str,
) -> int:
    """Makes requests to active runs and returns when they are done; the exit code."""
    from backprop_tui.client.control import wait_for_all
    from backprop_tui.client.handles import resolve_in

    run_ids = resolve_in(session, handles, ACTIVE)
    if session.dry_run:
        return print_would(session, run_ids, done)
    return print_outcomes(session, wait_for_all(requests(session, run_ids)), done)


def remove_confirmed(
    session: Session, runs: Sequence[Removable], names: str | None, *, leftovers: Sequence[str] = (), yes: bool
) -> int:
    """Asks whether to remove the runs unless `yes`, removes them, and says which they were; the exit code."""
    from backprop_tui.client.remove import delete, remove, size_of

    size = sum(run.bytes for run in runs) + sum(map(size_of, leftovers))
    if session.dry_run or not (runs or leftovers):
        return _print_removed(session, runs, size)
    question = f"Remove {counted(len(runs), 'run')}, {numbers.size(size)} of logs and metrics"
    if not diagnostics.confirm(question + (f": {names}?" if names else "?"), yes=yes):
        diagnostics.say("nothing was removed")
        return OK
    return _print_removed(session, runs, remove(session, runs) + delete(leftovers))


def _print_removed(session: Session, runs: Sequence[Removable], size: int) -> int:
    if session.json:
        output.json_value({"removed": [run.run_id for run in runs], "bytes": size, "dry_run": session.dry_run})
        return OK
    done, freed = ("would be removed", "to free") if session.dry_run else ("removed", "freed")
    for run in runs:
        output.line(f"{run.run_id} {run.name}: {done}")
    output.line(f"{counted(len(runs), 'run')} {done}, {numbers.size(size)} {freed}")
    return OK


def print_previews(
    session: Session, previews: Sequence[RunPreview], captured: dict[str, str], added: Sequence[tuple[str, str]]
) -> int:
    """`run --dry-run`: prints what would be started; the exit code is about the first run.

    Every run gets the environment `captured`, without variables of its own; `added` are the variables of --env.
    """
    if session.json:
        values = [_preview_json(session, preview, captured) for preview in previews]
        output.json_value(values[0] if len(values) == 1 else values)
    else:
        rows = [_preview_rows(session, preview, added) for preview in previews]
        _print_rows(rows[0] if len(rows) == 1 else _rows_of_sweep(previews, rows))
    return OK if previews[0].starts else HELD


def require_no_slurm(run: Run) -> None:
    """Refuses --no-wait for a Slurm run."""
    if run.spec.launcher == SLURM:
        raise UsageError("--no-wait: Slurm decides when a run starts", "leave out --no-wait, or use --launcher local")


def refuse_held(session: Session, preview: RunPreview) -> NoReturn:
    from backprop_tui.presentation.remedies import how_to_change

    if session.json:
        import time

        from backprop_tui.domain.formatting import iso

        event = {"event": "held", "time": iso(time.time()), "run": preview.run.id, "reasons": _reasons(preview)}
        output.json_line(event)
    problem = f"not started, it would wait: {'; '.join(preview.hold_messages)}"
    changes = how_to_change(_reasons(preview), None)
    raise HeldByGovernor(problem, "; ".join(["without --no-wait it waits in the queue", *changes]))


def _reasons(preview: RunPreview) -> list[JsonObject]:
    return [asdict(reason) for reason in getattr(preview.decision, "reasons", ())]


def _preview_json(session: Session, preview: RunPreview, captured: dict[str, str]) -> JsonObject:
    from backprop_tui.store.records import public

    run = preview.run
    variables = preview.variables(session, captured)
    added = {name: value for name, value in variables.items() if captured.get(name) != value}
    return {
        "run": public(run, session.home.run_folder(run.id)),
        "verdict": "start" if preview.starts else "held",
        "reasons": _reasons(preview),
        "sbatch": None if preview.job is None else {"options": preview.job.options, "answer": preview.job.answer},
        "command": list(mask_words(preview.command())),
        "interpreter_origin": run.spec.python_origin,
        "environment": _without_secrets(added),
    }


def _print_rows(rows: Sequence[tuple[str, str]]) -> None:
    """Prints names and values; a name that is that of the row before is left out."""
    previous = ""
    for name, value in rows:
        output.line(f"{'' if name == previous else name:<12} {value}")
        previous = name


def _rows_of_sweep(previews: Sequence[RunPreview], rows: Sequence[Sequence[tuple[str, str]]]) -> list[tuple[str, str]]:
    """What all runs have in common, the decisions about them, and the names, which tell them apart."""
    from collections import Counter

    words = zip(*(mask_words(preview.command()) for preview in previews), strict=True)
    command = " ".join(shlex.quote(word[0]) if len(set(word)) == 1 else "..." for word in words)
    verdicts = Counter(map(_verdict, previews))
    return [
        ("sweep", f"{len(previews)} runs in one group"),
        ("command", command),
        *(row for row in rows[0] if row[0] not in _PER_RUN and all(row in others for others in rows)),
        *(("verdict", f"{count} of {len(previews)}: {verdict}") for verdict, count in verdicts.items()),
        *(("runs", preview.run.label) for preview in previews),
    ]


def _preview_rows(session: Session, preview: RunPreview, added: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    from backprop_tui.presentation.run_line import slice_line

    run = preview.run
    rows = [("run", run.label + (f" in group {run.group}" if run.group else ""))]
    rows.append(("command", shlex.join(mask_words(preview.command()))))
    if run.spec.python_origin is not None:
        rows.append(("interpreter", f"{run.spec.command[0]}: {run.spec.python_origin}"))
    rows.append(("directory", run.spec.cwd))
    variables = preview.variables(session, {}) | dict(added)
    rows += [("environment", f"{name}={shown}") for name, shown in sorted(_without_secrets(variables).items())]
    rows.append(("timebox", _timebox(run)))
    if is_sliced(run.spec):
        rows.append(("slice", slice_line(run)))
    method = resumes_by(run.spec)
    if method is not None:
        rows.append(("resumes by", method))
    if preview.job is not None:
        rows.append(("sbatch", shlex.join(preview.job.options)))
    else:
        rows.append(("starts when", _conditions(run)))
    rows.append(("verdict", _verdict(preview)))
    return rows


def _without_secrets(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: MASK if is_secret(name, value) else value for name, value in variables.items()}


def _timebox(run: Run) -> str:
    limit, stop = timebox_seconds(run), run.spec.stop
    if limit is None:
        return "none"
    warning = "" if stop.warn_signal is None else f"{stop.warn_signal} {duration(stop.warn_seconds)} before; "
    ending = f"{stop.stop_signal}, TERM {duration(stop.grace_seconds)} later, KILL 5s after that"
    return f"{duration(limit)}; {warning}then {ending}"


def _conditions(run: Run) -> str:
    limits = run.spec.limits
    parts = [f"{gigabytes_up(limits.min_free_ram_bytes)} GB of RAM free"] if limits.min_free_ram_bytes else []
    if limits.max_parallel:
        parts.append(f"fewer than {limits.max_parallel} runs active")
    if limits.max_load_per_core:
        parts.append(f"load per core below {plain(limits.max_load_per_core)}")
    if limits.min_free_disk_bytes:
        parts.append(f"{disk_gigabytes_up(limits.min_free_disk_bytes)} GB of disk free")
    gpu = [f"{gigabytes_up(limits.gpu_min_free_vram_bytes)} GB free"] if limits.gpu_min_free_vram_bytes else []
    if limits.gpu_max_temp_celsius:
        gpu.append(f"below {plain(limits.gpu_max_temp_celsius)} °C")
    if gpu and run.spec.gpus != 0:
        parts.append(f"{'on a GPU' if run.spec.gpus else 'if there is a GPU, on it'} {' and '.join(gpu)}")
    return ", ".join(parts) or "at any time"


def _verdict(preview: RunPreview) -> str:
    if preview.job is not None:
        return f"submitted to Slurm, which says: {preview.job.answer or 'nothing'}"
    if not preview.starts:
        return "waits: " + "; ".join(preview.hold_messages)
    gpus = ", ".join(map(str, preview.gpu_indices))
    return f"starts now on GPU {gpus}" if gpus else "starts now"
