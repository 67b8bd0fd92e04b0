"""The protocol keeps every promise in every interleaving, and none of its rules can be spared."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from tests.model.rules import PROTOCOL, Rules
from tests.model.scenarios import SCENARIOS
from tests.model.search import NEXT_COMMAND, NO_WAY_ON, PROMISES, STEPS, Outcome, explore

# A rule taken away, the scenario that shows why it is there, and what goes wrong.
NEEDED_RULES = [
    ("marker_before_run", "queue where nobody is", "unfinished_run_has_its_marker"),
    ("marker_is_synced", "power cut while it is queued", "unfinished_run_has_its_marker"),
    ("build_swept_before_marker", "queue at a supervisor that exits", "unfinished_run_has_its_marker"),
    ("bell_closed_before_the_last_look", "queue at a supervisor that exits", NO_WAY_ON),
    ("looks_again_before_exit", "queue at a supervisor that exits", NO_WAY_ON),
    ("lease_is_unlocked", "queue, then resume", NO_WAY_ON),
    ("runner_wakes_at_its_end", "run", NO_WAY_ON),
    ("waiting_command_wakes", "stop while it starts", NO_WAY_ON),
    ("runner_inherits_run_lock", "run", "executed_only_when_asked"),
    ("runner_inherits_run_lock", "run", "one_end_per_attempt"),
    ("server_closes_what_it_inherited", "run without end", NO_WAY_ON),
    ("waits_until_server_is_ready", "queue at a supervisor that exits", NO_WAY_ON),
    ("server_closes_run_lock", "run", NO_WAY_ON),
    ("runner_closes_socket", "run without end", NO_WAY_ON),
    ("keeps_off_when_server_vanished", "run", "executed_only_when_asked"),
    ("script_lock", "run", "one_live_script"),
    ("child_records_itself", "run", "executed_only_when_asked"),
    ("script_lock_tested_before_record_read", "run", "executed_only_when_asked"),
    ("adopter_waits_for_the_record", "run", "live_script_is_on_record"),
    ("boot_is_compared", "power cut while it runs", "executed_only_when_asked"),
    ("unmarks_under_run_lock", "resume while it is indexed", "unfinished_run_has_its_marker"),
    ("resume_marks_under_run_lock", "resume while it is indexed", "unfinished_run_has_its_marker"),
    ("resume_discards_old_requests", "resume after a stop that came too late", "no_stop_from_before_the_resume"),
    ("stop_edits_under_run_lock", "stop while it starts", "run_json_written_under_its_lock"),
    ("pass_reads_requests", "stop between slices", "no_start_against_an_old_stop"),
    ("intent_and_offset_in_one_write", "stop while it runs", NO_WAY_ON),
]

LIBERTIES = ["may_give_up_waiting", "server_wakes"]

# Steps that only a weakened protocol has, and the one that is none.
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


@cache
def _searched(scenario: str, rules: Rules = PROTOCOL) -> Outcome:
    return explore(SCENARIOS[scenario].start, rules)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_protocol_keeps_every_promise(scenario: str) -> None:
    outcome = _searched(scenario)
    print(f"{scenario}: {outcome.states} states, {outcome.steps} steps")  # noqa: T201
    assert outcome.violation is None, f"{outcome.violation} after\n  " + "\n  ".join(outcome.story)
    assert outcome.states >= SCENARIOS[scenario].at_least


@pytest.mark.parametrize(("rule", "scenario", "promise"), NEEDED_RULES)
def test_without_the_rule_a_promise_is_broken(rule: str, scenario: str, promise: str) -> None:
    without = replace(PROTOCOL, **{rule: False})
    assert explore(SCENARIOS[scenario].start, without, promises=frozenset({promise})).violation == promise


@pytest.mark.parametrize("liberty", LIBERTIES)
@pytest.mark.parametrize("scenario", ["queue at a supervisor that exits", "run", "stop while it starts"])
def test_the_liberty_may_be_taken(liberty: str, scenario: str) -> None:
    outcome = explore(SCENARIOS[scenario].start, replace(PROTOCOL, **{liberty: True}))
    assert outcome.violation is None, f"{outcome.violation} after\n  " + "\n  ".join(outcome.story)
    assert outcome.states >= SCENARIOS[scenario].at_least


@pytest.mark.parametrize("scenario", ["run", "run without end", "stop while it runs"])
def test_with_a_fork_server_that_wakes_no_single_kill_needs_the_next_command(scenario: str) -> None:
    one_kill = SCENARIOS[scenario].start._replace(kills_left=1)
    assert NEXT_COMMAND in explore(one_kill, PROTOCOL).taken
    assert NEXT_COMMAND not in explore(one_kill, replace(PROTOCOL, server_wakes=True)).taken


def test_every_rule_is_shown_to_be_needed_or_a_liberty() -> None:
    shown = {rule for rule, _, _ in NEEDED_RULES}
    assert shown == {name for name in Rules.__dataclass_fields__ if getattr(PROTOCOL, name)}
    assert set(LIBERTIES) == set(Rules.__dataclass_fields__) - shown


def test_every_promise_is_broken_by_some_missing_rule() -> None:
    assert {promise for _, _, promise in NEEDED_RULES} == PROMISES


def test_every_step_of_every_process_is_taken() -> None:
    taken = frozenset[str]().union(*(_searched(scenario).taken for scenario in SCENARIOS))
    steps = {f"{role} {name}" for role, by_name in STEPS.items() for name in by_name}
    assert steps - taken == WRONG_STEPS
