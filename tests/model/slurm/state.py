"""The state of the model: what is on the shared file system, Slurm's queue, and processes on several machines."""

from __future__ import annotations

from typing import NamedTuple

from tests.model.slurm.rules import SlurmRules

FOREIGN = 0  # the number of a job that is not ours
LOGIN_NODES = ("login1", "login2")
NODES = ("node1", "node2")


class Record(NamedTuple):
    """run.json. A submitted run waits for job `job`, the run's `number`th; claims have that number too."""

    status: str = "queued"  # queued starting running ended
    attempts: int = 0  # that have begun
    job: int = 0
    number: int = 0
    is_submitted: bool = False
    asked: int = 1  # how often a person asked for it: queued, and each resume
    node: str = ""  # of the newest attempt
    is_edited: bool = False
    is_doubtful: bool = False  # it says that nobody knows whether the script of the run still lives

    @property
    def is_active(self) -> bool:
        return self.status in {"starting", "running"}


UNREAD = Record(status="")


class Claim(NamedTuple):
    """Who claimed a number: a client, a supervisor, or the start of a job on a machine."""

    by: str = ""
    job: int = 0
    machine: str = ""
    start: int = 0
    asked: int = 0  # of a client: the request that it ends; only the invariants read it


class Job(NamedTuple):
    """A job in Slurm's queue; when it is over it is not there any more. Its name has the run and the number."""

    id: int
    number: int
    at: str  # held pending running ending
    starts: int = 0


class Process(NamedTuple):
    """A process: its role, its machine, the step it takes next, and what it remembers.

    `saw` is the record as it read or wrote it last: what it writes is made from that.
    """

    role: str
    at: str
    machine: str
    has_lock: bool = False
    saw: Record = UNREAD
    inside: int = 0  # the job that it belongs to
    start: int = 0  # the how manyth start of that job
    attempt: int = 0
    job: int = 0  # the job that it looks after
    number: int = 0
    then: str = ""

    def to(self, at: str, **values: object) -> Process:
        return self._replace(at=at, **values)  # type: ignore[arg-type]


class History(NamedTuple):
    """What happened so far; only for the invariants, no process knows it."""

    execs: tuple[int, ...] = (0, 0, 0, 0)  # of each attempt
    retries: int = 0  # attempts that followed an end without a request
    overwrote: bool = False  # a process wrote over a record that it had not read
    ended_without_cause: bool = False  # a run that was never started, without a fault or a request
    hurt_foreign_job: bool = False
    killed: int = 0  # processes on nodes


class State(NamedTuple):
    """Everything at one moment, and how many faults may still happen."""

    record: Record
    processes: tuple[Process, ...]  # sorted
    jobs: tuple[Job, ...] = ()
    claims: tuple[Claim, ...] = (Claim(),) * 5  # by number
    script_record: tuple[int, str] = (0, "")  # script.lock: attempt and machine
    stop_asked: bool = False  # requests.jsonl has a stop that was not handled
    edit_asked: bool = False
    announced: int = 0  # the newest number of which a job was about to be submitted
    next_id: int = 1
    history: History = History()
    endless: bool = False
    has_cgroups: bool = True  # otherwise Slurm does not find the script of a dead guardian
    retries_left: int = 0
    kills_left: int = 0
    slurm_faults_left: int = 0
    faults: tuple[str, ...] = ()  # the kinds that may happen; all if empty
    disturbed: bool = False  # a fault or a cancellation happened

    def is_lock_free(self, machine: str) -> bool:
        """Locks reach no other machine."""
        return not any(process.has_lock and process.machine == machine for process in self.processes)

    def find(self, role: str, **values: object) -> Process | None:
        return next(
            (
                process
                for process in self.processes
                if process.role == role and all(getattr(process, name) == value for name, value in values.items())
            ),
            None,
        )

    def job(self, id_: int, number: int, rules: SlurmRules) -> Job | None:
        """What Slurm says about a job of the run."""
        job = next((job for job in self.jobs if job.id == id_), None)
        return job if job is not None and (job.number == number or not rules.identifies_by_name) else None

    def is_silent(self, rules: SlurmRules, *, but: Process | None = None) -> bool:
        """Whether nothing was written for the run for long: a guardian writes every second, a start is quick."""
        idle = {"exits"}
        if but is not None or not rules.waits_less_than_supervisor:
            idle |= {"reads_turn", "claims", "awaits_earlier"}
        return not any(
            process.role in {"guardian", "keeper"}
            or (process.role == "program" and process.at not in idle)
            or (self._is_about_to_be_killed(process) and not (but is None and self._is_known(process.inside)))
            for process in self.processes
            if process != but
        )

    def _is_about_to_be_killed(self, process: Process) -> bool:
        """A script whose program is dead: with cgroups its node kills it, whatever the controller knows of its job.

        Source: slurmstepd kills what is left in the container of a step as soon as its tasks have ended.
        """
        program = self.find("program", machine=process.machine, inside=process.inside, start=process.start)
        return process.role == "script" and self.has_cgroups and program is None

    def _is_known(self, job_id: int) -> bool:
        """Whether the controller knows a job of ours. Then a supervisor asks for its end, and relies only on that."""
        return any(job.id == job_id and job.number for job in self.jobs)

    def move(self, before: Process, *after: Process, **values: object) -> State:
        """The state after a process has changed, started another one or exited, and `values` are written."""
        processes = list(self.processes)
        processes.remove(before)
        processes.extend(after)
        return self._replace(processes=tuple(sorted(processes)), **values)  # type: ignore[arg-type]

    def write(self, me: Process, record: Record, at: str | None, **values: object) -> State:
        """Writes the record from what `me` read before; `at` is its next step, None if it exits."""
        overwrote = self.history.overwrote or me.saw != self.record
        history = self.history._replace(overwrote=overwrote)
        after = [] if at is None else [me.to(at, saw=record, **values)]
        return self.move(me, *after, record=record, history=history)

    def claim(self, number: int, holder: Claim) -> State | None:
        """The state with the claim made; None if somebody has it."""
        if self.claims[number].by:
            return None
        return self._replace(claims=(*self.claims[:number], holder, *self.claims[number + 1 :]))

    def change_job(self, job: Job, at: str | None, before: Job | None = None) -> State:
        """The state with a job at another stage, or gone."""
        others = [other for other in self.jobs if other != (before or job)]
        return self._replace(jobs=tuple(sorted([*others, *([] if at is None else [job._replace(at=at)])])))

    def cancel(self, id_: int, number: int, rules: SlurmRules) -> State:
        """Our own scancel."""
        job = self.job(id_, number, rules)
        if job is None:
            return self
        hurt = self.history.hurt_foreign_job or job.number != number
        state = self._replace(history=self.history._replace(hurt_foreign_job=hurt))
        return state.change_job(job, "ending" if job.at in {"running", "ending"} else None)
