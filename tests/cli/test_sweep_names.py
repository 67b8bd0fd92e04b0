"""A run of a sweep has one spelling in all texts; both spellings name it."""

from __future__ import annotations

import pytest

from backprop_tui.domain.status import Status
from tests.support.commands import Commands
from tests.support.runs import Runs

GIVEN, SHOWN = "gpu_train:lr=1e-3,seed=2", "gpu_train lr=1e-3 seed=2"


@pytest.mark.parametrize(
    "command",
    [
        ("list",),
        ("status",),
        ("status", "a"),
        ("queue", "move", "a", "--to", "1"),
        ("stop", "a", "--dry-run"),
        ("stop", "a"),
        ("show", "b"),
        ("status", "b"),
        ("remove", "b", "--dry-run"),
        ("compare", "a", "b"),
    ],
    ids=" ".join,
)
def test_every_command_spells_a_run_of_a_sweep_alike(obey: Commands, runs: Runs, command: tuple[str, ...]) -> None:
    runs.queued("a", name=GIVEN)
    runs.ended("b", Status.FAILED, exit_code=1, name=GIVEN)
    result = obey(*command)
    assert SHOWN in result.out + result.err
    assert GIVEN not in result.out + result.err


def test_both_spellings_name_the_run_and_the_json_has_the_name_as_it_was_given(obey: Commands, runs: Runs) -> None:
    runs.queued("a", name=GIVEN)
    runs.ended("b", name="other:lr=1e-3")
    for name in (GIVEN, SHOWN):
        assert obey.json("status", name)["name"] == GIVEN
    assert obey.json("status", "other lr=1e-3")["id"] == "b"
    assert obey("status", "gpu_train seed=2").code == 2
