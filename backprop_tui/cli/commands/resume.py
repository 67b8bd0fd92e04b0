"""`resume`: a new attempt of an ended run from its newest intact checkpoint, or of a group's failed runs."""

from __future__ import annotations

import argparse

from backprop_tui.cli import diagnostics, output
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.options import add_run_options, run_options
from backprop_tui.cli.reports import follow_queued, print_previews, print_would, refuse_held
from backprop_tui.cli.session import Interrupts, Session
from backprop_tui.client.handles import HELP, resolve, resolve_one
from backprop_tui.client.resume import plan_resumption, queue_again, read_resumable
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
    if arguments.failed:
        return _resume_failed(session, arguments)
    options = run_options(arguments)
    advice = "--failed resumes those of them that failed"
    run = read_resumable(session, resolve_one(session, arguments.run, advice=advice))
    code = _preview(session, run, options, no_wait=arguments.no_wait)
    if code is not None:
        return code
    with Interrupts() as interrupts:
        resumption, sizes = queue_again(session, run.id, options)
        session.supervisor.call()
        if resumption.checkpoint is None:
            diagnostics.say(f"run {run.id} starts from the beginning: no intact checkpoint is known")
        diagnostics.complain(resumption.advice)
        for name in resumption.lost_variables:
            diagnostics.say(f"--env {name} was given before but its value is not kept; give it again if it is needed")
        starts = {run.id: sizes}
        return follow_queued(session, arguments, [run.id], interrupts, starts=starts, before=resumption.before)


def _preview(session: Session, run: Run, options: RunOptions, *, no_wait: bool) -> int | None:
    """The exit code with --dry-run, which queues nothing; HeldByGovernor if it would be held and must not wait."""
    if not session.dry_run and not no_wait:
        return None
    from backprop_tui.client.dry_run import preview_runs

    resumption = plan_resumption(session, run, options)
    (preview,) = preview_runs(session, [resumption.run])
    if session.dry_run:
        diagnostics.complain(resumption.advice)
        return print_previews(session, [preview], resumption.environment, options.env)
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
                session.supervisor.call()
        diagnostics.say(f"{counted(len(run_ids), 'run')} of {len(records)} queued again")
        return follow_queued(session, arguments, run_ids, interrupts, as_array=True, starts=starts)
