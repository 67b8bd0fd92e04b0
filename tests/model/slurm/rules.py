"""The rules of the Slurm launcher, each with a flag, so that the search can show what goes wrong without it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SlurmRules:
    """A true flag means that the rule is applied."""

    # Submitting
    submits_held: bool = True  # the job starts only when it is released
    records_before_release: bool = True  # the job's id is in the record before it can start
    releases_again: bool = True  # a job whose submitter was killed before it released it
    finds_unrecorded_job: bool = True  # by its name, before another is submitted
    cancels_unrecorded_job: bool = True  # before a run that is not submitted ends
    awaits_silence_of_host: bool = True  # before the runs of another login node are submitted
    awaits_job_before_next: bool = True  # the supervisor, because a job submits the next attempt itself
    identifies_by_name: bool = True  # a controller that was killed gives the same id to another job

    # Who writes the record of a submitted run
    job_claims: bool = True  # before it begins the attempt
    stop_claims: bool = True  # before it ends a submitted run
    supervisor_claims: bool = True  # before it ends a run whose job is gone
    edits_by_request: bool = True  # of a submitted run
    settles_claims_of_the_dead: bool = True  # if the job is gone, the supervisor ends the run in the holder's place
    awaits_silence_of_holder: bool = True  # before that
    unsubmitted_stop_by_request: bool = True  # where another machine may be submitting the run
    resume_numbers_jobs_anew: bool = True  # claims and jobs from before the resume are no longer meant
    resume_forgets_job: bool = True

    # After the start
    awaits_earlier_start: bool = True  # of the same job
    waits_less_than_supervisor: bool = True  # a start that waits for silence acts before the supervisor does
    expects_second_start: bool = True  # a job that waits again is not over: its next start looks after the run
    awaits_silence: bool = True  # of the guardian, before a run is recorded as lost
    awaits_end_of_job: bool = True  # a job that Slurm is ending still has processes
    guardian_ends_with_program: bool = True
    program_replaces_guardian: bool = True
    keeper_ends_script: bool = True  # whose guardian and program were killed together


PROTOCOL = SlurmRules()
