"""The rules of the protocol, each with a flag, so that the search can show what goes wrong without it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """A true flag means that the rule is applied."""

    # Queueing and waking
    marker_before_run: bool = True  # active/<id> exists before runs/<id> does
    marker_is_synced: bool = True  # the marker is on the disk before run.json is
    build_deleted_before_marker: bool = True  # so that no run is created after its marker was removed
    bell_closed_before_the_last_look: bool = True
    lease_is_unlocked: bool = True  # by the supervisor that exits, instead of only being closed
    looks_again_before_exit: bool = True  # the supervisor, after it has released the lease
    runner_wakes_at_its_end: bool = True  # tries the lease once more after it has released the run
    waiting_command_wakes: bool = True  # `stop`, while it waits, tries the lease like a runner does

    # From supervisor to runner
    runner_inherits_run_lock: bool = True
    server_closes_what_it_inherited: bool = True  # the lease and the bell of the supervisor that forked it
    waits_until_server_is_ready: bool = True  # before the first pass, and so before the last look at the queue
    server_closes_run_lock: bool = True  # once the runner has it
    runner_closes_socket: bool = True  # of the fork server that forked it
    waiting_runner_ends_with_its_server: bool = True
    keeps_off_when_server_vanished: bool = True  # without a reply a runner may be alive, so it writes nothing
    may_give_up_waiting: bool = False
    server_wakes: bool = False  # optional: the fork server tries the lease when its supervisor has died

    # At most one execution
    go_ahead_after_record: bool = True  # the supervisor lets a child go that has its orders once the start is recorded
    starter_reads_record: bool = True  # a child that got the go-ahead may have ended, and its runner may have died
    waiting_child_ends_with_its_runner: bool = True
    script_lock: bool = True
    child_records_itself: bool = True  # process id and start time are written by the child, before exec
    script_lock_tested_before_record_read: bool = True
    adopter_waits_for_the_record: bool = True  # for as long as a child holds lock 3 without recording itself
    boot_is_compared: bool = True

    # What the script leaves running
    dead_script_has_a_runner: bool = True
    kills_leftovers: bool = True  # before the end is written
    adopter_reads_script_end: bool = True  # recorded before the run waits for leftovers, since only one runner sees it

    # The end and later
    unmarks_under_run_lock: bool = True
    resume_marks_under_run_lock: bool = True
    resume_discards_old_requests: bool = True

    # Requests
    stop_edits_under_run_lock: bool = True  # a queued run
    pass_reads_requests: bool = True
    intent_and_offset_in_one_write: bool = True


PROTOCOL = Rules()
