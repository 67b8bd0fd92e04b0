"""On a node: the job's program, which claims the attempt and begins it; its guardian; and the script."""

from __future__ import annotations

from collections.abc import Iterator

from tests.model.slurm import login
from tests.model.slurm.rules import SlurmRules
from tests.model.slurm.state import UNREAD, Claim, Process, State

# --- the program ---


def reads_turn(state: State, me: Process, rules: SlurmRules) -> Iterator[State]:
    """Whether the record names this job; if it does not within half a minute there is nothing to do."""
    record = state.record
    if record.job == me.inside and record.status == "queued" and record.is_submitted:
        claims = "claims" if rules.job_claims else "reads_for_start"
        yield state.move(me, me.to(claims, number=record.number))
    elif record.job == me.inside and record.is_active:
        yield state.move(me, me.to("awaits_earlier", number=record.number))
    else:
        yield state.move(me, me.to("exits"))


def claims(state: State, me: Process, _rules: SlurmRules) -> Iterator[State]:
    """Claimed by this job: by an earlier start of it."""
    claimed = state.claim(me.number, Claim("job", me.inside, me.machine, me.start))
    if claimed is not None:
        yield claimed.move(me, me.to("reads_for_start"))
    elif state.claims[me.number].job == me.inside:
        yield state.move(me, me.to("awaits_earlier"))
    else:
        yield state.move(me, me.to("exits"))


def awaits_earlier(state: State, me: Process, rules: SlurmRules) -> Iterator[State]:
    """Slurm may start a job a second time while its first start lives, also on another node."""
    holder = state.claims[me.number]
    if holder.machine == me.machine:
        is_gone = state.find("program", machine=me.machine, inside=me.inside, start=holder.start) in (None, me)
    else:
        is_gone = state.is_silent(rules, but=me)
    if is_gone or not rules.awaits_earlier_start:
        yield state.move(me, me.to("takes_over", attempt=holder.start))


def takes_over(state: State, me: Process, rules: SlurmRules) -> Iterator[State]:
    """A third start of the job may have waited for the same start, and have been faster."""
    holder = state.claims[me.number]
    if not rules.takes_claim_over or not holder.by:
        yield state.move(me, me.to("reads_for_start", attempt=0))
    elif holder.start == me.attempt:
        claims = list(state.claims)
        claims[me.number] = Claim("job", me.inside, me.machine, me.start)
        yield state.move(me, me.to("reads_for_start", attempt=0), claims=tuple(claims))
    else:
        yield state.move(me, me.to("awaits_earlier", attempt=0))


def reads_for_start(state: State, me: Process, _rules: SlurmRules) -> Iterator[State]:
    """Under the lock of this machine: whether to begin, to adopt what an earlier process began, or to end it."""
    record = state.record
    if not state.is_lock_free(me.machine):
        return
    locked = me.to(me.at, has_lock=True, saw=record)
    if record.status == "queued" and record.is_submitted and record.job == me.inside:
        yield state.move(me, locked.to("begins"))
    elif record.is_active and record.job == me.inside:
        if record.node != me.machine:
            yield state.move(me, locked.to("writes_loss"))
        elif record.status == "starting" and state.script_record != (record.attempts, record.node):
            yield state.move(me, locked.to("takes_back"))
        else:
            yield state.move(me, locked.to("forks", then="adopt"))
    else:
        yield state.move(me, me.to("exits"))


def takes_back(state: State, me: Process, _rules: SlurmRules) -> Iterator[State]:
    """The guardian was killed before it started the script: the attempt's number is free again."""
    record = me.saw._replace(status="queued", attempts=me.saw.attempts - 1, is_submitted=True)
    yield state.write(me, record, "begins")


def begins(state: State, me: Process, _rules: SlurmRules) -> Iterator[State]:
    """Requests first: a stop ends the run here."""
    if state.stop_asked:
        ended = me.saw._replace(status="ended", is_submitted=False)
        yield state.write(me, ended, "exits", has_lock=False)._replace(stop_asked=False)
        return
    record = me.saw._replace(
        status="starting",
        attempts=me.saw.attempts + 1,
        node=me.machine,
        is_submitted=False,
        is_edited=me.saw.is_edited or state.edit_asked,
    )
    yield state.write(me, record, "forks", then="start")


def forks(state: State, me: Process, rules: SlurmRules) -> Iterator[State]:
    """The guardian inherits the lock."""
    step = "starts_script" if me.then == "start" else "adopts"
    guardian = Process("guardian", step, me.machine, True, me.saw, me.inside, me.start, me.saw.attempts)
    started = [guardian]
    has_keeper = state.find("keeper", machine=me.machine, inside=me.inside) is not None
    if rules.keeper_ends_script and not has_keeper and not state.has_cgroups:  # with them nothing depends on it
        started.append(Process("keeper", "keeps", me.machine, inside=me.inside, start=me.start))
    yield state.move(me, me.to("guards", has_lock=False, saw=UNREAD, then=""), *started)


def guards(state: State, me: Process, rules: SlurmRules) -> Iterator[State]:
    """A guardian that was killed is replaced."""
    if state.find("guardian", machine=me.machine, inside=me.inside) is not None:
        return
    if state.record.is_active and state.record.job == me.inside and rules.program_replaces_guardian:
        yield state.move(me, me.to("reads_for_start"))
    elif _submits_next(state, me, rules) and state.is_lock_free(me.machine):
        number = login.next_number(state.record, rules)
        yield state.move(me, me.to("cancels_unrecorded", has_lock=True, saw=state.record, number=number))
        yield state.move(me, me.to("exits"))  # where nodes may not submit
    else:
        yield state.move(me, me.to("exits"))


def _submits_next(state: State, me: Process, rules: SlurmRules) -> bool:
    """Whether its run waits for the next attempt, and nobody has resumed it."""
    is_its_run = state.record.job == me.inside or not rules.resume_forgets_job
    return is_its_run and state.record.status == "queued" and not state.record.is_submitted


# --- the keeper ---


def keeps(state: State, me: Process, _rules: SlurmRules) -> Iterator[State]:
    """Until the program is gone; then it takes the guardian's place if there is none, to end the script."""
    program = state.find("program", machine=me.machine, inside=me.inside, start=me.start)
    record = state.record
    if program is not None and program.at in {"guards", "reads_for_start", "takes_back", "begins", "forks"}:
        return
    if program is not None or not record.is_active or (record.job, record.node) != (me.inside, me.machine):
        yield state.move(me)
    elif state.is_lock_free(me.machine):
        began = state.script_record == (record.attempts, record.node)
        guardian = me._replace(role="guardian", at="adopts", has_lock=True, saw=record, attempt=record.attempts)
        yield state.move(me, *([guardian] if began else []))


# --- the guardian ---


def starts_script(state: State, me: Process, _rules: SlurmRules) -> Iterator[State]:
    """One step here; the model of one machine has the steps from fork to exec."""
    script = Process("script", "runs", me.machine, False, UNREAD, me.inside, me.start, me.attempt)
    execs = state.history.execs
    execs = (*execs[: me.attempt], execs[me.attempt] + 1, *execs[me.attempt + 1 :])
    history = state.history._replace(execs=execs)
    recorded = (me.attempt, me.machine)
    yield state.move(me, me.to("writes_running"), script, history=history, script_record=recorded)


def adopts(state: State, me: Process, _rules: SlurmRules) -> Iterator[State]:
    yield state.move(me, me.to("writes_running" if me.saw.status == "starting" else "watches"))


def writes_running(state: State, me: Process, _rules: SlurmRules) -> Iterator[State]:
    yield state.write(me, me.saw._replace(status="running"), "watches")


def watches(state: State, me: Process, rules: SlurmRules) -> Iterator[State]:
    """Until the script has ended, a stop was requested, or the job ends, which kills the program or signals it."""
    script = state.find("script", machine=me.machine, attempt=me.attempt)
    is_orphan = state.find("program", machine=me.machine, inside=me.inside, start=me.start) is None
    is_ending = any(job.id == me.inside and job.at == "ending" for job in state.jobs)
    if script is None:
        yield state.move(me, me.to("writes_end"))
    elif state.stop_asked or is_ending or (is_orphan and rules.guardian_ends_with_program):
        yield state.move(me, me.to("writes_end")).move(script)


def writes_end(state: State, me: Process, rules: SlurmRules) -> Iterator[State]:
    yield login.conclude(state, me, None, rules)


# --- the script ---


def runs(state: State, me: Process, _rules: SlurmRules) -> Iterator[State]:
    if not state.endless:
        yield state.move(me)


PROGRAM_STEPS = {
    step.__name__: step
    for step in (
        *(reads_turn, claims, awaits_earlier, takes_over, reads_for_start, takes_back, begins, forks),
        *(guards, login.writes_loss, login.exits),
        *(login.cancels_unrecorded, login.follows_requests, login.submits, login.records_job, login.releases),
        login.ends_unsubmitted,
    )
}
GUARDIAN_STEPS = {step.__name__: step for step in (starts_script, adopts, writes_running, watches, writes_end)}
KEEPER_STEPS = {"keeps": keeps}
SCRIPT_STEPS = {"runs": runs}
