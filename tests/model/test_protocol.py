"""The protocol keeps every invariant in every interleaving, and each of its rules is needed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.model.rules import PROTOCOL, Rules
from tests.model.scenarios import SCENARIOS
from tests.model.search import INVARIANTS, NEXT_COMMAND, NO_GOOD_END, STEPS, explore

# A rule that is switched off, the scenario that shows why it is needed, and the invariant that is violated.
NEEDED_RULES = [
    ("marker_before_run", "queue without a supervisor", "unfinished_run_has_its_marker"),
    ("marker_is_synced", "power cut while it is queued", "unfinished_run_has_its_marker"),
    ("build_deleted_before_marker", "queue while the supervisor exits", "unfinished_run_has_its_marker"),
    ("bell_closed_before_the_last_look", "queue while the supervisor exits", NO_GOOD_END),
    ("looks_again_before_exit", "queue while the supervisor exits", NO_GOOD_END),
    ("lease_is_unlocked", "queue, then resume", NO_GOOD_END),
    ("runner_wakes_at_its_end", "run", NO_GOOD_END),
    ("waiting_command_wakes", "stop while it starts", NO_GOOD_END),
    ("runner_inherits_run_lock", "run", "executed_only_when_asked"),
    ("runner_inherits_run_lock", "run", "one_end_per_attempt"),
    ("server_closes_what_it_inherited", "run without end", NO_GOOD_END),
    ("waits_until_server_is_ready", "queue while the supervisor exits", NO_GOOD_END),
    ("server_closes_run_lock", "run", NO_GOOD_END),
    ("runner_closes_socket", "run without end", NO_GOOD_END),
    ("waiting_runner_ends_with_its_server", "run by a runner that waits", NO_GOOD_END),
    ("waiting_child_ends_with_its_runner", "run by a runner that waits", NO_GOOD_END),
    ("go_ahead_after_record", "power cut while a runner that waits starts it", "executed_only_when_asked"),
    ("starter_reads_record", "run by a runner that waits", "executed_only_when_asked"),
    ("keeps_off_when_server_vanished", "run", "executed_only_when_asked"),
    ("script_lock", "run", "one_live_script"),
    ("child_records_itself", "run", "executed_only_when_asked"),
    ("script_lock_tested_before_record_read", "run", "live_script_is_on_record"),
    ("adopter_waits_for_the_record", "run", "live_script_is_on_record"),
    ("dead_script_has_a_runner", "run that leaves a process", "live_script_is_on_record"),
    ("kills_leftovers", "run that leaves a process", "live_script_is_on_record"),
    ("adopter_reads_script_end", "run that leaves a process", "recorded_exit_status_is_kept"),
    ("boot_is_compared", "power cut while it runs", "executed_only_when_asked"),
    ("unmarks_under_run_lock", "resume while it is indexed", "unfinished_run_has_its_marker"),
    ("resume_marks_under_run_lock", "resume while it is indexed", "unfinished_run_has_its_marker"),
    ("resume_discards_old_requests", "resume after a stop that came too late", "no_stop_from_before_the_resume"),
    ("stop_edits_under_run_lock", "stop while it starts", "run_json_written_under_its_lock"),
    ("pass_reads_requests", "stop between slices", "no_start_against_an_old_stop"),
    ("intent_and_offset_in_one_write", "stop while it runs", NO_GOOD_END),
]

OPTIONAL_RULES = ["may_give_up_waiting", "server_wakes"]

# Steps that only a weakened protocol has, and one that is no step.
WRONG_STEPS = {
    "command marks_early",
    "supervisor reads_early",
    "supervisor tests_late",
    "runner takes_run_lock",
    "runner records_child",
    "runner records_offset",
    "fork server takes_lease",
    "fork server spawns_supervisor",
    "fork server lets_go",
    "script zombie",
}

# Scenarios in which together every step is taken: a small search each.
COVERING_WITH_FAULTS = ["run", "run without end", "run by a runner that waits"]
COVERING_WITHOUT_KILLS = [
    "queue without a supervisor",
    "queue while the supervisor exits",
    "run again by a runner that waits",
    "run without end, and a runner that waits",
    "stop while it starts",
    "stop while a process is left",
    "resume after a stop that came too late",
    "power cut while it runs",
]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_protocol_keeps_every_invariant(scenario: str) -> None:
    outcome = explore(SCENARIOS[scenario].start, PROTOCOL)
    print(f"{scenario}: {outcome.states} states, {outcome.steps} steps")  # noqa: T201
    assert outcome.violation is None, f"{outcome.violation} after\n  " + "\n  ".join(outcome.trace)
    assert outcome.states >= SCENARIOS[scenario].at_least
    assert not outcome.taken & WRONG_STEPS


@pytest.mark.parametrize(("rule", "scenario", "invariant"), NEEDED_RULES)
def test_without_the_rule_an_invariant_is_violated(rule: str, scenario: str, invariant: str) -> None:
    without = replace(PROTOCOL, **{rule: False})
    assert explore(SCENARIOS[scenario].start, without, invariants=frozenset({invariant})).violation == invariant


@pytest.mark.parametrize("rule", OPTIONAL_RULES)
@pytest.mark.parametrize("scenario", ["queue while the supervisor exits", "run", "stop while it starts"])
def test_an_optional_rule_changes_no_invariant(rule: str, scenario: str) -> None:
    outcome = explore(SCENARIOS[scenario].start, replace(PROTOCOL, **{rule: True}))
    assert outcome.violation is None, f"{outcome.violation} after\n  " + "\n  ".join(outcome.trace)
    assert outcome.states >= SCENARIOS[scenario].at_least


@pytest.mark.parametrize("scenario", ["run", "run without end", "stop while it runs"])
def test_if_the_fork_server_wakes_a_supervisor_no_single_kill_needs_the_next_command(scenario: str) -> None:
    one_kill = SCENARIOS[scenario].start._replace(kills_left=1)
    assert NEXT_COMMAND in explore(one_kill, PROTOCOL).taken
    assert NEXT_COMMAND not in explore(one_kill, replace(PROTOCOL, server_wakes=True)).taken


def test_every_rule_is_shown_to_be_needed_or_is_optional() -> None:
    needed = {rule for rule, _, _ in NEEDED_RULES}
    assert needed == {name for name in Rules.__dataclass_fields__ if getattr(PROTOCOL, name)}
    assert set(OPTIONAL_RULES) == set(Rules.__dataclass_fields__) - needed


def test_every_invariant_is_violated_without_some_rule() -> None:
    assert {invariant for _, _, invariant in NEEDED_RULES} == INVARIANTS


def test_every_step_of_every_process_is_taken() -> None:
    missing = {f"{role} {name}" for role, by_name in STEPS.items() for name in by_name} - WRONG_STEPS
    starts = (
        *(SCENARIOS[name].start for name in COVERING_WITH_FAULTS),
        *(SCENARIOS[name].start._replace(kills_left=0) for name in COVERING_WITHOUT_KILLS),
    )
    for start in starts:
        missing -= explore(start, PROTOCOL).taken
    assert missing == set()
