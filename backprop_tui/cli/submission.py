"""From what was typed after `run` to runs in the queue, once."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from backprop_tui.cli.captured import GitQuestion, captured_environment
from backprop_tui.cli.programs import AskedPython, Program, command_program, script_program
from backprop_tui.cli.run_ids import new_run_id, run_id_of_key
from backprop_tui.cli.session import Session, here
from backprop_tui.cli.specification import asked_python, checkpoint_path, overlaid, settled, working_directory
from backprop_tui.cli.sweeps import Point, grid, named, told
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.run import Queued, Run
from backprop_tui.domain.values import dataclass
from backprop_tui.store.code_state import code_of
from backprop_tui.store.creation import IdTaken, Submission, create
from backprop_tui.store.home import check_run_id
from backprop_tui.store.run_directory import RunDirectory

# Between the runs of a sweep, so that they keep their order in the queue.
_STEP_SECONDS = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The runs that are to be queued, with the environment they all get; nothing is on disk yet."""

    runs: tuple[Run, ...]
    environment: dict[str, str]
    program: Program
    id_given: bool  # by --run-id, so that no other will do


def plan(session: Session, options: argparse.Namespace) -> Plan:
    """What `run` would queue.

    Raises:
        UsageError: an option is wrong or contradicts another.
        NotFound: the script or command is not there.
    """
    _check_together(options)
    cwd = working_directory(options.cwd, here())
    git = GitQuestion(cwd)
    try:
        environment = captured_environment(options.env, cwd)
        settings = session.settings()
        program = _program(options, cwd, environment, asked_python(options, settings))
        spec = overlaid(settled(settings, program, cwd), options, session, environment)
        resume_from = checkpoint_path(options.resume_from)
        code = code_of(spec.script, (*program.words, *program.arguments), cwd)
    finally:
        commit = git.answer()
    now = time.time()
    points = grid(options.sweep)
    name = options.name or program.name
    group = options.group or (f"{name}-{new_run_id()[:4]}" if options.sweep else None)
    runs = tuple(
        Run(
            id=run_id,
            name=named(name, point),
            host=session.home.host,
            created_at=now,
            position=now + number * _STEP_SECONDS,
            spec=replace(spec, key=options.key, command=_command(program, point)),
            state=Queued(since=now, resume_from=resume_from),
            priority=options.priority or 0,
            group=group,
            tags=tuple(dict.fromkeys(options.tag)),
            note=options.note,
            git=commit,
            code=code,
        )
        for number, (run_id, point) in enumerate(zip(_ids(options, len(points)), points, strict=True))
    )
    return Plan(runs=runs, environment=environment, program=program, id_given=options.run_id is not None)


def _check_together(options: argparse.Namespace) -> None:
    if options.run_id is not None:
        check_run_id(options.run_id)
        if options.sweep:
            raise UsageError("--run-id names one run, and --sweep makes several: use --group or --key")
    if options.script is None and options.after_dashes is None:
        raise UsageError("SCRIPT is missing; a script: run train.py [-- ARGS], a command line: run -- COMMAND ...")


def _program(options: argparse.Namespace, cwd: str, environment: dict[str, str], python: AskedPython | None) -> Program:
    if options.script is None:
        if options.python is not None:
            raise UsageError("--python is for scripts; a command line names its program itself")
        return command_program(options.after_dashes, cwd=cwd, environment=environment)
    arguments = options.after_dashes or ()
    return script_program(options.script, arguments, python=python, environment=environment)


def _command(program: Program, point: Point) -> tuple[str, ...]:
    return (*program.words, *told(program.arguments, point))


def _ids(options: argparse.Namespace, count: int) -> list[str]:
    if options.run_id is not None:
        return [options.run_id]
    if options.key is not None:
        return [run_id_of_key(options.key, number) for number in range(count)]
    return [new_run_id() for _ in range(count)]


@contextmanager
def submission(session: Session, key: str | None) -> Iterator[Submission | None]:
    """The key, held while it is decided whether it makes runs; None where none was given."""
    session.home.prepare()
    if key is None:
        yield None
        return
    with Submission(session.home, key) as held:
        yield held


def submit(session: Session, wanted: Plan, key: Submission | None) -> list[str]:
    """Queues the runs; their ids. A supervisor is to be called next.

    Raises:
        IdTaken: --run-id names a run that exists.
        StorageFailed: not all could be queued.
    """
    ids = [run.id for run in wanted.runs]
    if key is not None:
        key.record(ids)
    made = [_create(session, run, wanted) for run in wanted.runs]
    if key is not None and made != ids:
        key.record(made)
    return made


def _create(session: Session, run: Run, wanted: Plan) -> str:
    while True:
        try:
            create(session.home, run, wanted.environment, time=time.time())
        except IdTaken:
            if run.spec.key is not None and _is_of_key(session, run):
                return run.id  # a submission that died half-way made it
            if wanted.id_given:
                raise
            run = replace(run, id=new_run_id())
        else:
            return run.id


def _is_of_key(session: Session, run: Run) -> bool:
    return RunDirectory(session.home.run_folder(run.id)).read().spec.key == run.spec.key
