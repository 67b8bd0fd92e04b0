"""The rules of the protocol, one flag each, so that the search can show what happens without it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """True: as the protocol says."""

    # Queueing and waking
    marker_before_run: bool = True  # active/<id> exists before runs/<id> does
    marker_is_synced: bool = True  # and is on the disk before run.json is
    build_swept_before_marker: bool = True  # when a front end left them: so no run comes to be after its marker went
    bell_closed_before_the_last_look: bool = True
    lease_is_unlocked: bool = True  # by the supervisor that exits, and not only closed
    looks_again_before_exit: bool = True  # the supervisor, once it has let go of the lease
    runner_wakes_at_its_end: bool = True  # tries the lease once more after it has let go of the run
    waiting_command_wakes: bool = True  # `stop`, while it waits, tries the lease like a runner does

    # The way from supervisor to runner
    runner_inherits_run_lock: bool = True
    server_closes_what_it_inherited: bool = True  # the lease and the bell of the supervisor it was forked from
    waits_until_server_is_ready: bool = True  # before the supervisor's first pass, and so before its last look
    server_closes_run_lock: bool = True  # once the runner has it
    runner_closes_socket: bool = True  # of the fork server it was forked from
    keeps_off_when_server_vanished: bool = True  # no reply: a runner may live, so write nothing
    may_give_up_waiting: bool = False
    server_wakes: bool = False  # an offer, not yet a rule: the fork server tries the lease when its supervisor died

    # Once is once
    script_lock: bool = True
    child_records_itself: bool = True  # process id and start time are written by the child, before exec
    script_lock_tested_before_record_read: bool = True
    adopter_waits_for_the_record: bool = True  # however long a child keeps lock 3 without recording itself
    boot_is_compared: bool = True

    # The end, and afterwards
    unmarks_under_run_lock: bool = True
    resume_marks_under_run_lock: bool = True
    resume_discards_old_requests: bool = True

    # Requests
    stop_edits_under_run_lock: bool = True  # a queued run
    pass_reads_requests: bool = True
    intent_and_offset_in_one_write: bool = True


PROTOCOL = Rules()
