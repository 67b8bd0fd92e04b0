"""What holds a run is followed by what to type, with real values."""

from __future__ import annotations

from typing import Any

import pytest

from backprop_tui.presentation.remedies import how_to_change

LOAD = {"check": "load", "figure": 2.6, "limit": 2.0, "setting": "governor.max_load_per_core"}
RAM = {"check": "ram", "figure": 1, "limit": 2, "setting": "min_free_ram_gb"}


@pytest.mark.parametrize(
    ("reason", "lines"),
    [
        (
            LOAD,
            [
                "to start it sooner (0: no limit): backprop-tui edit abc --max-load 0",
                "for later runs: backprop-tui config set governor.max_load_per_core 0",
            ],
        ),
        (
            {"check": "gpu_temperature", "figure": 78.4, "limit": 72.0, "setting": "gpu.max_temp_c"},
            [
                "to start it sooner: backprop-tui edit abc --gpu-max-temp 84",
                "for later runs: backprop-tui config set gpu.max_temp_c 84",
            ],
        ),
        (
            {"check": "parallel", "figure": 3, "limit": 2, "setting": "max_parallel"},
            ["to start it sooner: backprop-tui config set max_parallel 4"],
        ),
        (
            {"check": "parallel", "figure": 1, "limit": 1, "setting": None},
            ["to start it sooner (0: no limit): backprop-tui edit abc --max-parallel 0"],
        ),
        ({"check": "queue_held"}, ["to start it sooner: backprop-tui queue release"]),
        ({"check": "dependency", "figure": "running"}, []),
        ({"check": "starts", "figure": 9.0, "limit": 0}, []),
        ({"check": "disk", "setting": "of.a.later.version"}, []),
    ],
)
def test_each_check_has_what_lifts_it(reason: dict[str, Any], lines: list[str]) -> None:
    assert how_to_change([reason], "abc") == lines


def test_the_options_of_several_checks_are_in_one_command() -> None:
    lines = how_to_change([RAM, LOAD], "my sweep")
    assert lines[0] == "to start it sooner (0: no limit): backprop-tui edit 'my sweep' --min-free-ram 0 --max-load 0"


def test_a_run_that_is_not_queued_is_given_the_options() -> None:
    assert how_to_change([LOAD], None)[0] == "to start it now (0: no limit), give: --max-load 0"
