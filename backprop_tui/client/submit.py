"""From a request for new runs to runs in the queue, exactly once."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache

from backprop_tui.client.command_line import Program, command_program, script_program
from backprop_tui.client.environment import GitQuery, captured_environment
from backprop_tui.client.interpreters import Interpreter
from backprop_tui.client.request_words import remember_command
from backprop_tui.client.run_request import IN_FORM, RunRequest, arguments_at, grid, name_at
from backprop_tui.client.session import ClientSession
from backprop_tui.client.slurm_jobs import ask_slurm, submit_now
from backprop_tui.client.specification import (
    apply_options,
    asked_python,
    checkpoint_path,
    run_directory_path,
    spec_from_settings,
)
from backprop_tui.client.training_source import shared_output, source_of
from backprop_tui.domain.arguments import change_arguments, quoted, with_placeholder
from backprop_tui.domain.command_lines import find_target
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.invocation import resume_step
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.resume_arguments import misspelled_options, resume_advice
from backprop_tui.domain.run import SLURM, Queued, Run
from backprop_tui.domain.secrets import MASK, reveal_words
from backprop_tui.store.code_state import code_of
from backprop_tui.store.creation import IdTaken, Submission, create
from backprop_tui.store.home import check_run_id
from backprop_tui.store.run_directory import RunDirectory

RUN_ID_LENGTH = 8
# Without i, l, o and u: read aloud and typed again, no letter is mistaken for another. See Crockford's base 32.
_LETTERS = "abcdefghjkmnpqrstvwxyz"
_ALPHABET = "0123456789" + _LETTERS
# Seconds between the runs of a sweep, so that they keep their order: in the queue, and in JSON, which has milliseconds.
_POSITION_STEP, _CREATED_STEP = 1e-6, 1e-3


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class SharedOutput:
    """The runs of a sweep write to the same directory; `own` are the options that give each run its own.

    `line` are these among all words that follow the script on a command line.
    """

    problem: str
    own: tuple[str, ...]
    line: tuple[str, ...]

    def advice(self, *, in_form: bool) -> str:
        if in_form:
            change = f"set in the command: {' '.join(map(quoted, self.own))}"
        else:
            change = f"end the line with: {shlex.join(self.line)}"
        return f"{self.problem}; to give each run its own, {change}"


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionPlan:
    """The runs to be queued, with the environment that all of them get; nothing is on disk yet."""

    runs: tuple[Run, ...]
    environment: dict[str, str]
    program: Program
    request: RunRequest  # with absolute paths, and without `like`
    shared_output: SharedOutput | None = None

    def advice(self, *, in_form: bool = False) -> str | None:
        """What may be wrong with the arguments or the Python environment, or keeps the runs from their checkpoints.

        It says what to type on a command line, or `in_form`, which asks about the options that are `misspelled`.
        """
        where = IN_FORM if in_form else ""
        shared = None if self.shared_output is None else self.shared_output.advice(in_form=in_form)
        python = self.program.advice and self.program.advice.replace("--python", f"--python{where}")
        parts = (python, resume_advice(self.runs[0], self.program.resume, where=where), shared)
        return ". ".join(filter(None, (*(() if in_form else self.misspelled()), *parts))) or None

    def misspelled(self) -> Iterator[str]:
        source = self.program.source
        if source is None:
            return
        arguments = find_target(self.runs[0].spec.command).arguments
        for given, meant in misspelled_options(source_of(source), arguments).items():
            yield f"{os.path.basename(source)} defines no {given}, but {meant}"


def plan(session: ClientSession, request: RunRequest) -> SubmissionPlan:
    """The runs that a request would queue."""
    request = _checked(session, request)
    cwd = run_directory_path(request.cwd)
    git = GitQuery(cwd)
    try:
        environment = captured_environment(session.environment, request.env, cwd)
        settings = session.settings()
        program = _program(request, cwd, environment, asked_python(request, settings))
        spec = apply_options(spec_from_settings(settings, program, cwd), request, session, environment)
        resume_from = checkpoint_path(request.resume_from)
        code = code_of(program.script, (*program.words, *program.arguments, program.source or ""), cwd)
    finally:
        commit = git.answer()
    now = time.time()
    name = request.name or program.name
    first = Run(
        id="",
        name=name,
        host=session.home.host,
        created_at=now,
        position=now,
        spec=replace(spec, key=request.key),
        state=Queued(since=now, resume_from=resume_from),
        priority=request.priority or 0,
        group=request.group or (f"{name}-{new_run_id()[:4]}" if request.sweep else None),
        tags=tuple(dict.fromkeys(request.tags)),
        note=request.note,
        git=commit,
        code=code,
    )
    if resume_from is not None:
        resume_step(first, resume_from)  # fails if --resume-arg needs a step that is not known
    runs = _runs_of_sweep(request, program, first)
    request = replace(request, script=program.script, cwd=cwd)
    shared = _shared_output(request, program, runs)
    return SubmissionPlan(runs=runs, environment=environment, program=program, request=request, shared_output=shared)


def _runs_of_sweep(request: RunRequest, program: Program, first: Run) -> tuple[Run, ...]:
    points, arguments = grid(request.sweep), list(program.arguments)
    for axis in request.sweep:
        arguments = with_placeholder(arguments, axis.key)
    return tuple(
        replace(
            first,
            id=run_id,
            name=name_at(first.name, point),
            created_at=first.created_at + number * _CREATED_STEP,
            position=first.position + number * _POSITION_STEP,
            spec=replace(first.spec, command=(*program.words, *arguments_at(arguments, point))),
        )
        for number, (run_id, point) in enumerate(zip(_run_ids(request, len(points)), points, strict=True))
    )


def _shared_output(request: RunRequest, program: Program, runs: Sequence[Run]) -> SharedOutput | None:
    """What the runs of a sweep write to, if that is the same and its script has an option for it."""
    commands = [run.spec.command for run in runs]
    shared = shared_output(source_of(program.source or ""), commands) if len(runs) > 1 else None
    if shared is None:
        return None
    option, value = shared
    keys = [axis.key for axis in request.sweep]
    point, (stem, ending) = "-".join(f"{{{key}}}" for key in keys), os.path.splitext(value)
    folder = f"{stem}-{point}{ending}" if ending else os.path.join(value, point)
    unused = [key for key in keys if not any(f"{{{key}}}" in word for word in program.arguments)]
    own = (option, folder, *(word for key in unused for word in (f"--{key}", f"{{{key}}}")))
    words = change_arguments(program.arguments, own)
    return SharedOutput(
        problem=f"{option} is {value} for all {len(runs)} runs: they may overwrite each other's checkpoints",
        own=own,
        line=("--", *(program.words if request.script is None else ()), *words),
    )


def _checked(session: ClientSession, request: RunRequest) -> RunRequest:
    """The request without `like`; UsageError if it cannot be carried out."""
    if request.like is not None:
        from backprop_tui.client.rerun import expand_like

        request = expand_like(session, request)
    if request.run_id is not None:
        check_run_id(request.run_id)
        if request.sweep:
            raise UsageError("--run-id names one run, and --sweep makes several", "use --group or --key")
    if request.script is None and request.command is None:
        raise UsageError(
            "SCRIPT is missing",
            "backprop-tui run train.py [-- ARGS], or for a command line: backprop-tui run -- COMMAND ...",
        )
    return request


def _program(request: RunRequest, cwd: str, environment: dict[str, str], python: Interpreter | None) -> Program:
    if request.script is not None:
        return script_program(request.script, request.arguments, cwd=cwd, python=python, environment=environment)
    if request.python is not None:
        raise UsageError("--python is for scripts; a command line names its program itself", "leave out --python")
    return command_program(request.command or (), cwd=cwd, environment=environment)


def _run_ids(request: RunRequest, count: int) -> list[str]:
    if request.run_id is not None:
        return [request.run_id]
    if request.key is not None:
        return [run_id_of_key(request.key, number) for number in range(count)]
    return [new_run_id() for _ in range(count)]


def new_run_id() -> str:
    """A random id: short, safe in file names and shells, and distinct in its first letters."""
    return _encode(os.urandom(RUN_ID_LENGTH))


def run_id_of_key(key: str, number: int) -> str:
    """The id of the n-th run of a submission key: always the same, so that no retry can make a second run."""
    import hashlib  # only needed here

    return _encode(hashlib.sha256(f"{number} {key}".encode("utf-8", "surrogateescape")).digest())


def _encode(source: bytes) -> str:
    """Begins with a letter, because a spreadsheet takes 1e234567 for a number."""
    first = _LETTERS[source[0] % len(_LETTERS)]
    return first + "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in source[1:RUN_ID_LENGTH])


@contextmanager
def submission_key(session: ClientSession, key: str | None) -> Iterator[Submission | None]:
    """Locks a submission key while it is decided whether it makes runs; None if there is no key."""
    session.home.prepare()
    if key is None:
        yield None
        return
    with Submission(session.home, key) as submission:
        yield submission


def submit(session: ClientSession, request: RunRequest) -> list[str]:
    """Queues the runs of a request and calls a supervisor; the ids, those that its key made before if it did."""
    with submission_key(session, request.key) as key:
        run_ids = [] if key is None else earlier_runs(session, request, key)
        planned = None if run_ids else plan(session, request)
        if planned is not None:
            run_ids = queue_runs(session, planned, key)
    session.wake_supervisor()
    if planned is not None:
        remember_command(session.home, planned.request)
    return run_ids


def earlier_runs(session: ClientSession, request: RunRequest, key: Submission) -> list[str]:
    """The runs that the key of a request made before, empty if there are none; UsageError if it made others."""
    recorded = key.recorded()
    if request.key is not None and recorded and any(os.path.exists(session.home.run_folder(name)) for name in recorded):
        from backprop_tui.client.submission_keys import check_same_request

        # What a run waits for may be gone by now, and is not compared.
        runs = plan(session, replace(request, after=())).runs
        check_same_request(request.key, recorded, key.requested(), runs)
    return key.earlier()


def queue_runs(session: ClientSession, planned: SubmissionPlan, key: Submission | None) -> list[str]:
    """Queues planned runs and returns their ids; the caller must call a supervisor next.

    Raises:
        IdTaken: --run-id names an existing run.
        UsageError: a secret is missing.
        SlurmRefused: the cluster could never start them.
        SlurmUnavailable: it cannot be asked.
        SystemUnfit, StateUnavailable: no supervisor could work here.
    """
    check_secrets(planned.runs[0])
    session.supervisor.require_fit()
    confirm = cache(
        ask_slurm(session, planned.runs[0], planned.environment)
    )  # answers while the first run is being built
    run_ids = [run.id for run in planned.runs]
    requested: list[dict[str, str]] = []
    if key is not None:
        from backprop_tui.client.submission_keys import requested_options

        requested = [requested_options(run) for run in planned.runs]
        key.record(run_ids, requested)
    created = [_create(session, run, planned, confirm) for run in planned.runs]
    if key is not None and created != run_ids:
        key.record(created, requested)
    if planned.runs[0].spec.launcher == SLURM and len(created) == 1:
        submit_now(session, created[0])
    return created


def check_secrets(run: Run) -> None:
    """Raises UsageError if its command has *** from a command line that was shown, instead of a secret."""
    unknown = reveal_words(run.spec.command, {})[1]
    if unknown:
        raise UsageError(f"{unknown[0]}: {MASK} stands for a value that is not shown", "type the value itself")


def _create(session: ClientSession, run: Run, planned: SubmissionPlan, confirm: Callable[[], object]) -> str:
    while True:
        try:
            create(session.home, run, planned.environment, time=time.time(), confirm=confirm)
        except IdTaken:
            existing = RunDirectory(session.home.run_folder(run.id))
            if run.spec.key is not None and existing.read().spec.key == run.spec.key:
                return run.id  # a submission that died half-way created it
            if planned.request.run_id is not None:
                raise
            run = replace(run, id=new_run_id())
        else:
            return run.id
