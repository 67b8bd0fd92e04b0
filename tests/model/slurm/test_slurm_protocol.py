"""The Slurm launcher's protocol keeps every invariant in every interleaving, and each of its rules is needed."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from tests.architecture.sources import PACKAGE
from tests.model.search import NO_GOOD_END, Outcome, explore
from tests.model.slurm import rules
from tests.model.slurm.cluster import FAULTS
from tests.model.slurm.model import SLURM, STEPS
from tests.model.slurm.rules import PROTOCOL, SlurmRules
from tests.model.slurm.scenarios import SCENARIOS

# A rule that is switched off, the scenario that shows why it is needed, and the invariant that is violated.
NEEDED_RULES = [
    ("submits_held", "run through two kills", "unstarted_run_ends_for_a_reason"),
    ("records_before_release", "run through two kills", "unstarted_run_ends_for_a_reason"),
    ("releases_again", "run through two kills", NO_GOOD_END),
    ("releases_before_stop", "submitted by a command, and stopped", NO_GOOD_END),
    ("announces_job", "stop", NO_GOOD_END),
    ("cancels_unrecorded_job", "two login nodes", NO_GOOD_END),
    ("awaits_silence_of_host", "two login nodes", "nobody_overwrites_what_it_has_not_read"),
    ("awaits_job_before_next", "retry", "nobody_overwrites_what_it_has_not_read"),
    ("identifies_by_name", "run through a fault of the cluster", NO_GOOD_END),
    ("identifies_by_name", "stop through a fault of the cluster", "only_own_jobs_are_cancelled"),
    ("command_locks", "submitted by a command beside a supervisor", "nobody_overwrites_what_it_has_not_read"),
    ("command_submits_at_home", "submitted on another login node", "nobody_overwrites_what_it_has_not_read"),
    ("command_leaves_announced", "submitted by a command beside a supervisor", NO_GOOD_END),
    ("job_claims", "run through a fault of the cluster", "one_live_script"),
    ("job_claims", "run through a fault of the cluster", "executed_only_when_asked"),
    ("job_claims", "stop", "live_script_is_on_record"),
    ("stop_claims", "stop", "live_script_is_on_record"),
    ("supervisor_claims", "run through a fault of the cluster", "live_script_is_on_record"),
    ("edits_by_request", "edit", "nobody_overwrites_what_it_has_not_read"),
    ("settles_claims_of_the_dead", "run through two kills", NO_GOOD_END),
    ("awaits_silence_of_holder", "run through a fault of the cluster", "live_script_is_on_record"),
    ("unsubmitted_stop_by_request", "stop on another login node", "nobody_overwrites_what_it_has_not_read"),
    ("unsubmitted_stop_by_request", "stop between attempts", "live_script_is_on_record"),
    ("resume_numbers_jobs_anew", "stop and resume", "unstarted_run_ends_for_a_reason"),
    ("resume_forgets_job", "stop and resume", "unstarted_run_ends_for_a_reason"),
    ("awaits_earlier_start", "run through a fault of the cluster", "one_live_script"),
    ("awaits_earlier_start", "run through a fault of the cluster", "executed_only_when_asked"),
    ("takes_claim_over", "a job that is started three times", "one_live_script"),
    ("waits_less_than_supervisor", "run without end", "nobody_overwrites_what_it_has_not_read"),
    ("expects_second_start", "run through a fault of the cluster", "nobody_overwrites_what_it_has_not_read"),
    ("awaits_silence", "run through a fault of the cluster", "live_script_is_on_record"),
    ("awaits_silence", "retry after a fault of the cluster", "one_live_script"),
    ("awaits_end_of_job", "run through two kills", "live_script_is_on_record"),
    ("guardian_ends_with_program", "run through two kills without cgroups", NO_GOOD_END),
    ("program_replaces_guardian", "run through a kill and a fault", "live_script_is_on_record"),
    (
        "program_adopts_script",
        "run without cgroups through a kill and a fault",
        "live_script_is_on_record",
    ),
    ("keeper_ends_script", "run through two kills without cgroups", "live_script_is_on_record"),
    ("says_what_is_not_known", "retry without cgroups through three kills", "live_script_is_on_record"),
    ("doubtful_loss_is_final", "retry without cgroups through three kills", "one_live_script"),
]

# Steps that only a weakened protocol has.
WRONG_STEPS = {"command edits"}


@cache
def _explore_scenario(scenario: str) -> Outcome:
    return explore(SCENARIOS[scenario].start, PROTOCOL, model=SLURM)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_protocol_keeps_every_invariant(scenario: str) -> None:
    outcome = _explore_scenario(scenario)
    print(f"{scenario}: {outcome.states} states, {outcome.steps} steps")  # noqa: T201
    assert outcome.violation is None, f"{outcome.violation} after\n  " + "\n  ".join(outcome.trace)
    assert outcome.states >= SCENARIOS[scenario].at_least


@pytest.mark.parametrize(("rule", "scenario", "invariant"), NEEDED_RULES)
def test_without_the_rule_an_invariant_is_violated(rule: str, scenario: str, invariant: str) -> None:
    without = replace(PROTOCOL, **{rule: False})
    outcome = explore(SCENARIOS[scenario].start, without, invariants=frozenset({invariant}), model=SLURM)
    assert outcome.violation == invariant


def test_every_rule_is_shown_to_be_needed() -> None:
    assert {rule for rule, _, _ in NEEDED_RULES} == set(SlurmRules.__dataclass_fields__)


def test_every_rule_names_a_function_that_follows_it() -> None:
    lines = Path(rules.__file__).read_text(encoding="utf-8").splitlines()
    comments = {line.split(":")[0].strip(): line.partition("#")[2] for line in lines if ": bool = True" in line}
    assert comments.keys() == SlurmRules.__dataclass_fields__.keys()
    for rule, comment in comments.items():
        module, _, function = comment.split()[-1].rpartition(".")
        source = PACKAGE / f"{module or 'engine/slurm_queue'}.py"
        assert re.search(rf"^ *def {function}\(", source.read_text(encoding="utf-8"), re.MULTILINE), rule


def test_every_invariant_is_violated_without_some_rule() -> None:
    assert {invariant for _, _, invariant in NEEDED_RULES} == SLURM.invariants


def test_every_step_and_every_fault_occurs() -> None:
    taken = frozenset[str]().union(*(_explore_scenario(scenario).taken for scenario in SCENARIOS))
    steps = {f"{role} {name}" for role, by_name in STEPS.items() for name in by_name}
    assert steps - {" ".join(label.rsplit(" ", 1)[:-1]) for label in taken} == WRONG_STEPS
    assert {f"FAULT {name}" for name in FAULTS} <= taken
