"""`resume`: a new attempt of an ended run from its newest intact checkpoint, or of a group's failed runs."""

from __future__ import annotations

import argparse
import shlex

from backprop_tui.cli import diagnostics, output
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.options import add_run_options, run_options
from backprop_tui.cli.reports import follow_queued, print_previews, print_would, refuse_held, require_no_slurm
from backprop_tui.cli.session import Interrupts, Session
from backprop_tui.client.handles import HELP, resolve, resolve_one
from backprop_tui.client.resume import (
    Resumption,
    changed_line,
    is_option_of,
    longer_arguments,
    plan_resumption,
    queue_again,
    read_resumable,
)
from backprop_tui.client.run_request import RunOptions
from backprop_tui.client.runs import FileSizes
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.formatting import counted
from backprop_tui.domain.run import Run
from backprop_tui.domain.status import Status

SUMMARY = "start an ended run again from its newest intact checkpoint; its options stay unless given again"

_RETRIED = frozenset({Status.FAILED, Status.LOST})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help=f"{HELP}; a group with --failed")
    parser.add_argument("--failed", action="store_true", help="resume the runs of a group that failed or were lost")
    add_run_options(parser)


def execute(arguments: argparse.Namespace, session: Session) -> int:
    if arguments.for_script:
        raise _refusal(arguments, session)
    if arguments.failed:
        return _resume_failed(session, arguments)
    options = run_options(arguments)
    advice = "--failed resumes those of them that failed"
    run = read_resumable(session, resolve_one(session, arguments.run, advice=advice))
    code = _preview(session, run, options, no_wait=arguments.no_wait)
    if code is not None:
        return code
    with Interrupts() as interrupts:
        resumption, sizes = queue_again(session, run.id, options, at_once=True)
        session.wake_supervisor()
        text = _start_text(resumption)
        if text is not None:
            diagnostics.say(text)
        diagnostics.complain(resumption.advice)
        for name in resumption.lost_variables:
            diagnostics.say(f"--env {name} was given before but its value is not kept; give it again if it is needed")
        starts = {run.id: sizes}
        return follow_queued(session, arguments, [run.id], interrupts, starts=starts, before=resumption.before)


def _refusal(arguments: argparse.Namespace, session: Session) -> UsageError:
    """The error for arguments of the script, with the line that starts a new run with them; or for unknown options."""
    words = [word for word in arguments.for_script if word != "--"]
    run = read_resumable(session, resolve_one(session, arguments.run))
    if arguments.for_script[0] != "--" and not is_option_of(run, words[0]):
        from backprop_tui.cli.corrections import explain
        from backprop_tui.cli.parser import command_parser, load

        return explain(command_parser("resume", load("resume")), f"unrecognized arguments: {words[0]}")
    problem = f"{words[0]}: resume keeps the arguments of the script"
    return UsageError(problem, f"a new run from the same checkpoint takes others: {changed_line(run, words)}")


def _start_text(resumption: Resumption) -> str | None:
    """What a resume begins with, if it may be surprising: from the beginning, or after a run that was complete."""
    run, path = resumption.before, resumption.checkpoint
    step = "" if run.step is None else f" at step {run.step:,}"
    is_complete = run.status is Status.COMPLETED
    completed = f"run {run.id} completed{step}; it starts again" if is_complete else f"run {run.id} starts"
    if path is not None:
        longer = f"; to train longer: {changed_line(run, longer_arguments(run))}"
        return f"{completed} from {path}{longer}" if is_complete else None
    shared = run.shared_directory
    if shared is None:
        return f"{completed} from the beginning: no intact checkpoint is known"
    line = f"backprop-tui resume {run.id} --resume-from {shlex.quote(shared.files[-1])}"
    return f"{completed} from the beginning: {shared.message}; to start from it: {line}"


def _preview(session: Session, run: Run, options: RunOptions, *, no_wait: bool) -> int | None:
    """The exit code with --dry-run, which queues nothing; HeldByGovernor if it would be held and must not wait."""
    if not session.dry_run and not no_wait:
        return None
    from backprop_tui.client.dry_run import preview_runs

    resumption = plan_resumption(session, run, options)
    (preview,) = preview_runs(session, [resumption.run], resumption.environment)
    if session.dry_run:
        diagnostics.complain(resumption.advice)
        return print_previews(session, [preview], resumption.environment, options.env)
    require_no_slurm(resumption.run)
    if not preview.starts:
        refuse_held(session, preview)
    return None


def _resume_failed(session: Session, arguments: argparse.Namespace) -> int:
    """Queues the failed and lost runs of a group again, then follows them like the runs of a sweep."""
    from backprop_tui.client.runs import current

    if arguments.resume_from is not None or arguments.name is not None:
        raise UsageError("--failed is for several runs", "leave out --resume-from and --name")
    if arguments.no_wait:
        raise UsageError("--failed is for several runs, and --no-wait for one", "leave out --no-wait")
    records = [current(session, run_id) for run_id in resolve(session, arguments.run)]
    run_ids = [str(record["id"]) for record in records if record["status"] in _RETRIED]
    if session.dry_run:
        return print_would(session, run_ids, "queued again")
    if not run_ids:
        diagnostics.say(f"{arguments.run}: none of its {counted(len(records), 'run')} failed or was lost")
        if session.json:
            output.json_value([])
        return OK
    with Interrupts() as interrupts:
        starts: dict[str, FileSizes] = {}
        try:
            for run_id in run_ids:
                resumption, starts[run_id] = queue_again(session, run_id, run_options(arguments))
                diagnostics.complain(resumption.advice)
        finally:
            if starts:
                session.wake_supervisor()
        diagnostics.say(f"{counted(len(run_ids), 'run')} of {len(records)} queued again")
        return follow_queued(session, arguments, run_ids, interrupts, as_array=True, starts=starts)
