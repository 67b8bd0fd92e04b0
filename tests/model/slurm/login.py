"""On login nodes: the supervisor that submits and looks after jobs, and the commands."""

from __future__ import annotations

from collections.abc import Iterator

from tests.model.slurm.rules import SlurmRules
from tests.model.slurm.state import LOGIN_NODES, UNREAD, Claim, Job, Process, Record, State


def next_number(record: Record, rules: SlurmRules) -> int:
    """The number of the job for the next attempt."""
    return record.number + 1 if rules.resume_numbers_jobs_anew else record.attempts + 1


# --- supervisor ---


def looks(state: State, me: Process, rules: SlurmRules) -> Iterator[State]:
    """A pass over the run: what it reads here may be outdated at its next step."""
    record = state.record
    if record.status == "ended" or not _looks_after(state, me, rules):
        return
    if record.is_active:
        if not _goes_on(state, record, rules):
            yield state.move(me, me.to("awaits_silence", job=record.job, number=record.number))
    elif record.is_submitted:
        yield state.move(me, me.to("asks", saw=record, job=record.job, number=record.number))
    elif state.is_lock_free(me.machine) and _may_submit(state, rules):
        number = next_number(record, rules)
        yield state.move(me, me.to("cancels_unrecorded", has_lock=True, saw=record, number=number))


def _goes_on(state: State, record: Record, rules: SlurmRules) -> bool:
    """Whether Slurm says that the job of an active run is not over."""
    job = state.job(record.job, record.number, rules)
    if job is None:
        return False
    if job.at == "ending":
        return rules.awaits_end_of_job
    return rules.expects_second_start or job.at == "running"


def _looks_after(state: State, me: Process, rules: SlurmRules) -> bool:
    """The run belongs to the first login node; another one takes it over when nothing is seen there for minutes."""
    host = LOGIN_NODES[0]
    is_host_alive = any(process.machine == host for process in state.processes)
    return me.machine == host or not is_host_alive or not rules.awaits_silence_of_host


def _may_submit(state: State, rules: SlurmRules) -> bool:
    """Not while the job of the last attempt may do so; that is quick, also on a node that Slurm has lost."""
    record = state.record
    submits = any(process.role == "program" and process.at in _SUBMITTING for process in state.processes)
    return not rules.awaits_job_before_next or (state.job(record.job, record.number, rules) is None and not submits)


_SUBMITTING = {"guards", "cancels_unrecorded", "follows_requests", "submits", "records_job", "releases"}


def cancels_unrecorded(state: State, me: Process, rules: SlurmRules) -> Iterator[State]:
    """A job whose submitter was killed before it recorded it would be held forever; it is known by its name."""
    for job in state.jobs:
        if job.number == me.number and rules.cancels_unrecorded_job:
            state = state.change_job(job, None)
    yield state.move(me, me.to("follows_requests"))


def follows_requests(state: State, me: Process, rules: SlurmRules) -> Iterator[State]:
    """A stop that was requested meanwhile ends the run."""
    if state.stop_asked:
        yield state.move(me, me.to("ends_unsubmitted"))
    else:
        announced = me.number if rules.announces_job else state.announced
        yield state.move(me, me.to("submits"), announced=announced)


def submits(state: State, me: Process, rules: SlurmRules) -> Iterator[State]:
    """From here on the job exists, and only Slurm knows."""
    job = Job(state.next_id, me.number, "held" if rules.submits_held else "pending")
    then = "records_job" if rules.records_before_release else "releases"
    submitted = me.to(then, job=job.id)
    yield state.move(me, submitted, jobs=tuple(sorted([*state.jobs, job])), next_id=state.next_id + 1)


def records_job(state: State, me: Process, rules: SlurmRules) -> Iterator[State]:
    submitted = me.saw._replace(job=me.job, number=me.number, is_submitted=True)
    if rules.records_before_release:
        yield state.write(me, submitted, "releases")
    else:
        yield state.write(me, submitted, _rest(me), has_lock=False, job=0, number=0)


def releases(state: State, me: Process, rules: SlurmRules) -> Iterator[State]:
    after = _released(state, me, rules)
    if not rules.records_before_release:
        yield after.move(me, me.to("records_job"))
    else:
        yield after.move(me, _idle(me))


def _released(state: State, me: Process, rules: SlurmRules) -> State:
    job = state.job(me.job, me.number, rules)
    return state.change_job(job, "pending") if job is not None and job.at == "held" else state


def _rest(me: Process) -> str | None:
    """A supervisor goes on; a job's program that submitted the next attempt exits."""
    return "looks" if me.role == "supervisor" else None


def _idle(me: Process) -> Process:
    return me.to("looks" if me.role == "supervisor" else "exits", has_lock=False, saw=UNREAD, job=0, number=0, then="")


def asks(state: State, me: Process, rules: SlurmRules) -> Iterator[State]:
    """What Slurm says about the job of a run that waits."""
    job = state.job(me.job, me.number, rules)
    if job is None:
        yield state.move(me, me.to("claims_to_end", then="over"))
    elif job.at == "held" and rules.releases_again and (rules.releases_before_stop or not state.stop_asked):
        yield _released(state, me, rules).move(me, _idle(me))
    elif state.stop_asked:
        yield state.move(me, me.to("claims_to_end"))
    else:
        yield state.move(me, _idle(me))


def claims_to_end(state: State, me: Process, rules: SlurmRules) -> Iterator[State]:
    """Claimed by somebody else: the job is faster, or that process was killed before it could use its claim."""
    if not state.is_lock_free(me.machine):
        yield state.move(me, _idle(me))
        return
    claimed = state.claim(me.number, Claim("supervisor"))
    if claimed is not None or not rules.supervisor_claims:
        yield (claimed or state).move(me, me.to("reads_for_end"))
    elif me.then == "over" and rules.settles_claims_of_the_dead:
        if _is_holder_silent(state, me, rules) or not rules.awaits_silence_of_holder:
            yield state.move(me, me.to("reads_for_end"))
        else:
            yield state.move(me, _idle(me))
    else:
        yield state.move(me, _idle(me))


def _is_holder_silent(state: State, me: Process, rules: SlurmRules) -> bool:
    """Whether nothing changed for so long that the holder of the claim cannot be alive."""
    ends = ("reads_for_end", "ends_submitted", "cancels")
    return state.is_silent(rules) and not any(other.at in ends for other in state.processes if other != me)


def reads_for_end(state: State, me: Process, _rules: SlurmRules) -> Iterator[State]:
    """Under the lock, since another process of this machine may have ended it."""
    if not state.is_lock_free(me.machine):
        yield state.move(me, _idle(me))
        return
    record = state.record
    if record.is_submitted and record.status == "queued" and record.number == me.number:
        yield state.move(me, me.to("cancels", has_lock=True, saw=record))
    else:
        yield state.move(me, _idle(me))


def cancels(state: State, me: Process, rules: SlurmRules) -> Iterator[State]:
    """Of a job that cannot be cancelled the program finds that it has nothing to do."""
    yield state.cancel(me.job, me.number, rules).move(me, me.to("ends_submitted"))


def ends_submitted(state: State, me: Process, _rules: SlurmRules) -> Iterator[State]:
    """Ends a run whose job has not begun it."""
    is_stopped = state.stop_asked or me.then == "stopped" or state.claims[me.number].asked == me.saw.asked
    is_explained = state.disturbed or is_stopped
    history = state.history._replace(ended_without_cause=state.history.ended_without_cause or not is_explained)
    state = state._replace(history=history, stop_asked=False)
    at = "looks" if me.role == "supervisor" else None
    yield state.write(me, me.saw._replace(status="ended"), at, has_lock=False, job=0, number=0, then="")


def awaits_silence(state: State, me: Process, rules: SlurmRules) -> Iterator[State]:
    """The job is over, but its guardian may live on a node that Slurm has lost."""
    if state.record.number != me.number or not state.record.is_active:
        yield state.move(me, _idle(me))
    elif (state.is_silent(rules) or not rules.awaits_silence) and state.is_lock_free(me.machine):
        yield state.move(me, me.to("writes_loss", has_lock=True, saw=state.record))
    elif _goes_on(state, state.record, rules):
        yield state.move(me, _idle(me))


def writes_loss(state: State, me: Process, rules: SlurmRules) -> Iterator[State]:
    """Without cgroups a script may be left on its node, of which nobody here can know."""
    is_doubtful = rules.says_what_is_not_known and not state.has_cgroups
    yield conclude(state, me, "looks" if me.role == "supervisor" else "guards", rules, is_doubtful=is_doubtful)


def conclude(state: State, me: Process, then: str | None, rules: SlurmRules, *, is_doubtful: bool = False) -> State:
    """Writes the end of an attempt: with retries left the run waits again, unless a person stopped it."""
    ended = me.saw._replace(status="ended", is_submitted=False, is_doubtful=is_doubtful)
    may_retry = not (is_doubtful and rules.doubtful_loss_is_final)
    if state.retries_left and not state.stop_asked and may_retry:
        history = state.history._replace(retries=state.history.retries + 1)
        state = state._replace(retries_left=state.retries_left - 1, history=history)
        ended = ended._replace(status="queued")
    written = state.write(me, ended, then, has_lock=False, job=0, number=0)
    return written if ended.status == "queued" else written._replace(stop_asked=False)


# --- commands ---


def reads_to_submit(state: State, me: Process, rules: SlurmRules) -> Iterator[State]:
    """A run that was queued or resumed, by this command or one that was killed. Else a supervisor does it."""
    record, number = state.record, next_number(state.record, rules)
    is_new = record.status == "queued" and not record.is_submitted and not record.job
    is_elsewhere = me.machine != LOGIN_NODES[0] and rules.command_submits_at_home
    is_announced = state.announced == number and rules.command_leaves_announced
    is_busy = not state.is_lock_free(me.machine) and rules.command_locks
    if not is_new or is_elsewhere or is_announced or is_busy:
        yield state.move(me)
    else:
        announced = number if rules.announces_job else state.announced
        holder = me.to("submits", has_lock=rules.command_locks, saw=record, number=number)
        yield state.move(me, holder, announced=announced)


def exits(state: State, me: Process, _rules: SlurmRules) -> Iterator[State]:
    yield state.move(me)


def reads_to_stop(state: State, me: Process, rules: SlurmRules) -> Iterator[State]:
    record = state.record
    me_now = me.to(me.at, saw=record, job=record.job, number=record.number, then="stopped")
    if record.status == "ended":
        yield state.move(me)
    elif record.is_active:
        yield state.move(me, me.to("appends"))
    elif record.is_submitted:
        yield state.move(me, me_now.to("claims_to_stop" if rules.stop_claims else "cancels"))
    elif _may_others_write(state, me, rules):
        yield state.move(me, me.to("appends"))
    elif state.is_lock_free(me.machine):
        yield state.move(me, me_now.to("ends_unsubmitted", has_lock=True))


def _may_others_write(state: State, me: Process, rules: SlurmRules) -> bool:
    """Whether the lock of this machine is not enough to end a run that is not submitted."""
    is_announced = state.announced == next_number(state.record, rules)
    is_elsewhere = bool(state.record.job) or me.machine != LOGIN_NODES[0]
    return is_announced or (is_elsewhere and rules.unsubmitted_stop_by_request)


def ends_unsubmitted(state: State, me: Process, _rules: SlurmRules) -> Iterator[State]:
    at = "looks" if me.role == "supervisor" else None
    ended = me.saw._replace(status="ended")
    yield state.write(me, ended, at, has_lock=False, job=0, number=0)._replace(stop_asked=False)


def claims_to_stop(state: State, me: Process, _rules: SlurmRules) -> Iterator[State]:
    claimed = state.claim(me.number, Claim("client", asked=me.saw.asked))
    if claimed is None:
        yield state.move(me, me.to("appends"))
    else:
        yield claimed.move(me, me.to("cancels"))


def appends(state: State, me: Process, _rules: SlurmRules) -> Iterator[State]:
    """A request, which the process that carries the run reads."""
    yield state.move(me, stop_asked=state.record.status != "ended")


def reads_to_edit(state: State, me: Process, rules: SlurmRules) -> Iterator[State]:
    """The record of a submitted run is not this process's to write."""
    if not state.record.is_submitted or state.record.status != "queued":
        yield state.move(me)
    elif rules.edits_by_request:
        yield state.move(me, edit_asked=True)
    else:
        yield state.move(me, me.to("edits", saw=state.record))


def edits(state: State, me: Process, _rules: SlurmRules) -> Iterator[State]:
    yield state.write(me, me.saw._replace(is_edited=True), None)


def awaits_end(state: State, me: Process, _rules: SlurmRules) -> Iterator[State]:
    if state.record.status == "ended" and state.is_lock_free(me.machine):
        yield state.move(me, me.to("queues_again", has_lock=True, saw=state.record))


def queues_again(state: State, me: Process, rules: SlurmRules) -> Iterator[State]:
    """The same write discards the requests to earlier attempts."""
    if state.record.status != "ended":
        yield state.move(me)
        return
    again = me.saw._replace(status="queued", asked=me.saw.asked + 1)
    if rules.resume_forgets_job:
        again = again._replace(is_submitted=False, job=0)
    yield state.write(me, again, me.then or None, has_lock=False, then="")._replace(stop_asked=False)


SUPERVISOR_STEPS = {
    step.__name__: step
    for step in (
        *(looks, cancels_unrecorded, follows_requests, submits, records_job, releases, ends_unsubmitted),
        *(asks, claims_to_end, reads_for_end, ends_submitted, cancels),
        *(awaits_silence, writes_loss),
    )
}
COMMAND_STEPS = {
    step.__name__: step
    for step in (
        *(reads_to_submit, submits, records_job, releases, exits),
        *(reads_to_stop, ends_unsubmitted, claims_to_stop, ends_submitted, cancels, appends),
        *(reads_to_edit, edits, awaits_end, queues_again),
    )
}
