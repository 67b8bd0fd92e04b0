"""The rules of the Slurm launcher, each with a flag, so that the search can show what goes wrong without it.

Each comment ends with the function that follows the rule; where no module is named it is in `engine/slurm_queue`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SlurmRules:
    """A true flag means that the rule is applied."""

    # Submitting
    submits_held: bool = True  # the job starts only when it is released: launchers/slurm.submit
    records_before_release: bool = True  # the record has the id first: launchers/slurm.submit_next_job
    releases_again: bool = True  # a job whose submitter was killed before it released it: _check_submitted
    releases_before_stop: bool = True  # for it sees a claim whose holder was killed: _check_submitted
    announces_job: bool = True  # so that others know that there may be one: launchers/slurm.submit_next_job
    cancels_unrecorded_job: bool = True  # by its name, before another is submitted or the run ends: _has_no_job
    awaits_silence_of_host: bool = True  # before runs of another login node are submitted: store/hosts.belongs_here
    awaits_job_before_next: bool = True  # since it submits the next attempt itself: _may_last_job_submit
    identifies_by_name: bool = True  # a controller that was killed gives an id out again: domain/slurm.carries

    # A command that submits the run that it has queued, or resumed: client/slurm_jobs.submit_now
    command_locks: bool = True  # the run, as a supervisor does: client/slurm_jobs.submit_now
    command_submits_at_home: bool = True  # a run of this machine: store/hosts.may_write_here
    command_leaves_announced: bool = True  # a run whose job may have been submitted already: store/hosts.may_write_here

    # Who writes the record of a submitted run
    job_claims: bool = True  # before it begins the attempt: node/job._claim
    stop_claims: bool = True  # before it ends a submitted run: client/control._apply_to_submitted
    supervisor_claims: bool = True  # before it ends a run whose job is gone: _end_submitted
    edits_by_request: bool = True  # of a submitted run: client/control._apply_to_submitted
    settles_claims_of_the_dead: bool = True  # if the job is gone, the run ends in the holder's place: _end_submitted
    awaits_silence_of_holder: bool = True  # before that: _explain_vanished
    unsubmitted_stop_by_request: bool = True  # where another machine may be submitting: store/hosts.may_write_here
    resume_numbers_jobs_anew: bool = True  # claims and jobs from before are no longer meant: domain/run.next_job_number
    resume_forgets_job: bool = True  # its program submits nothing more: node/job._submit_next

    # After the start
    awaits_earlier_start: bool = True  # of the same job: node/job._await_end_of
    takes_claim_over: bool = True  # from that start, since others may wait for it too: node/job._claim
    waits_less_than_supervisor: bool = True  # a start that waits for silence acts before it: node/job._give_sign
    expects_second_start: bool = True  # a job that waits again is not over, and looks after the run: _lives
    awaits_silence: bool = True  # of the guardian, before a run is recorded as lost: _check_active
    awaits_end_of_job: bool = True  # a job that Slurm is ending still has processes: _lives
    guardian_ends_with_program: bool = True  # node/job._launch
    program_replaces_guardian: bool = True  # node/job._guard
    program_adopts_script: bool = True  # of a dead guardian, so that Slurm finds it below the program: node/job._launch
    keeper_ends_script: bool = True  # whose guardian and program were killed together: node/job._fork_keeper
    says_what_is_not_known: bool = True  # of a script that may be left on its node: _doubt
    doubtful_loss_is_final: bool = True  # whatever retries are left, since the script may live: record_job_loss


PROTOCOL = SlurmRules()
