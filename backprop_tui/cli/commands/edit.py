"""`edit`: changes what describes runs, their timebox and priority; of queued ones also thresholds and Slurm options."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from dataclasses import replace

from backprop_tui.cli import diagnostics, options, values
from backprop_tui.cli.reports import print_outcomes, print_would
from backprop_tui.cli.session import Session
from backprop_tui.client.control import edit_requests, edit_summary, refusal_of, wait_for_all
from backprop_tui.client.handles import HELP, resolve
from backprop_tui.client.run_request import NO_LIMIT, RunOptions, slurm_options_of, thresholds_of
from backprop_tui.client.runs import status_of
from backprop_tui.client.slurm_jobs import refusal_of_options
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.formatting import counted, minutes
from backprop_tui.domain.requests import EditRequest, TimeboxRequest
from backprop_tui.domain.slurm import SlurmOptions
from backprop_tui.domain.status import ACTIVE, ENDED, Status
from backprop_tui.domain.thresholds import Thresholds, with_thresholds
from backprop_tui.store.hosts import belongs_here
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.run_view import read_view

SUMMARY = "change a run's name, tags, note, timebox, priority or objective, and what it waits for; or of a whole group"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help=HELP)
    parser.add_argument("-n", "--name", type=values.handle_label, help="new name")
    parser.add_argument(
        "--tag",
        dest="tags",
        metavar="TAG",
        action="append",
        type=_label_or_nothing,
        help="new tags, in place of the old ones; repeatable, '' for none",
    )
    parser.add_argument("--note", metavar="TEXT", type=_label_or_nothing, help="new note, '' for none")
    options.add_timebox(parser, "new timebox (1h30m), counted from the start of the attempt; none: no limit")
    parser.add_argument("--priority", metavar="N", type=values.whole(), help="higher goes first")
    options.add_objective(parser, "metric that decides which run of its group is best")
    thresholds = parser.add_argument_group("thresholds of runs that are queued")
    options.add_host_thresholds(thresholds)
    options.add_gpu_thresholds(thresholds)
    options.add_slurm(parser, "what the job of a run that waits asks for")


def _label_or_nothing(text: str) -> str:
    return text and values.label(text)


def execute(arguments: argparse.Namespace, session: Session) -> int:
    run_ids = resolve(session, arguments.run)
    tags = None if arguments.tags is None else tuple(dict.fromkeys(tag for tag in arguments.tags if tag))
    slurm = slurm_options_of(options.run_options(arguments))
    given = EditRequest(
        name=arguments.name,
        tags=tags,
        note=arguments.note,
        priority=arguments.priority,
        objective=arguments.objective,
        thresholds=_thresholds(session, run_ids, options.run_options(arguments)),
        slurm=None if slurm == SlurmOptions() else slurm,
    )
    edit = None if given == EditRequest() else given
    limit = arguments.max_run_seconds
    timebox = None if limit is None else TimeboxRequest(max_run_seconds=None if limit == NO_LIMIT else limit)
    _check(session, run_ids, arguments, edit, timebox)
    run_ids = _without_refused(session, run_ids, given)
    changes = edit_summary(edit, timebox)
    if session.dry_run:
        return print_would(session, run_ids, f"given {changes}")
    requests = edit_requests(session, run_ids, edit, timebox)
    outcomes = wait_for_all(requests)
    # If there are two requests for a run, the outcome of the last is printed.
    last = {request.run_id: outcome for request, outcome in zip(requests, outcomes, strict=True)}
    return print_outcomes(session, list(last.values()), changes, of_ended=changes)


def _check(
    session: Session,
    run_ids: Sequence[str],
    arguments: argparse.Namespace,
    edit: EditRequest | None,
    timebox: TimeboxRequest | None,
) -> None:
    """Refuses what does not apply to one of the runs, before anything is changed."""
    if edit is None and timebox is None:
        raise UsageError(
            "nothing to change",
            "give --name, --tag, --note, -m or another option: backprop-tui edit --help",
        )
    if arguments.name is not None and len(run_ids) > 1:
        raise UsageError(f"--name: {arguments.run!r} means {len(run_ids)} runs", "name one of them")
    for run_id in run_ids:
        status = status_of(session, run_id)
        if status is None:
            raise UsageError(f"run {run_id} was recorded by the original Backprop; its records are read-only")
        if status in ACTIVE and arguments.objective is not None:
            raise UsageError(f"--objective: run {run_id} is {status}", "set it after the run has ended")
        if status in ENDED and timebox is not None:
            limit = "none" if timebox.max_run_seconds is None else shlex.quote(minutes(timebox.max_run_seconds))
            advice = f"to start it again: backprop-tui resume {run_id} -m {limit}"
            raise UsageError(f"--max-minutes: run {run_id} has ended ({status})", advice)


def _thresholds(session: Session, run_ids: Sequence[str], given: RunOptions) -> Thresholds | None:
    """The thresholds that were given, None without any; UsageError if the machine can never satisfy them."""
    thresholds = thresholds_of(given)
    if thresholds == Thresholds():
        return None
    if thresholds.min_free_ram_bytes or thresholds.gpu_min_free_vram_bytes:
        from backprop_tui.client.feasibility import check_feasible

        for run_id in run_ids:
            if status_of(session, run_id) is Status.QUEUED:
                run = RunDirectory(session.home.run_folder(run_id)).read()
                if belongs_here(session.home, run):
                    limits = with_thresholds(run.spec.limits, thresholds)
                    check_feasible(session, replace(run.spec, limits=limits), given)
    return thresholds


def _without_refused(session: Session, run_ids: Sequence[str], edit: EditRequest) -> list[str]:
    """Of a group the runs that can be given the thresholds and options; UsageError if there are none."""
    views = [read_view(session.home, run_id) for run_id in run_ids]
    refusals = {
        view.run.id: refusal_of(edit.thresholds, view.run.id, view.status) or refusal_of_options(edit.slurm, view.run)
        for view in views
    }
    accepted = [run_id for run_id in run_ids if refusals[run_id] is None]
    refusal = next(filter(None, refusals.values()), None)
    if refusal is not None and not accepted:
        raise refusal
    if refusal is not None:
        left_out = len(run_ids) - len(accepted)
        diagnostics.say(f"{counted(left_out, 'run')} of {len(run_ids)} not waiting any more: unchanged")
    return accepted
