"""The precedence of the layers of settings, and the origin of each value."""

from __future__ import annotations

import pytest

from backprop_tui.config.keys import KEYS
from backprop_tui.config.load import DEFAULT, invalid_variables, run_limits
from backprop_tui.domain.limits import MemoryLimit, RunLimits
from tests.config.settings_files import Machine


def test_without_any_file_every_key_has_its_default(machine: Machine) -> None:
    settings = machine.load()
    assert {name: settings[name] for name in KEYS} == {name: key.default for name, key in KEYS.items()}
    assert {settings.origin(name) for name in KEYS} == {DEFAULT}


def test_each_layer_overrides_those_below_it_and_is_named_as_the_origin(machine: Machine) -> None:
    machine.user_file.write_text(
        "max_parallel = 3\n[gpu]\nmax_temp_c = 70\nmin_free_vram_mb = 1\nresume_margin_c = 2\n"
    )
    project = machine.directory / "backprop.toml"
    project.write_text("[gpu]\nmin_free_vram_mb = 2\nresume_margin_c = 3\nmax_temp_c = 71\n")
    environment = {"BACKPROP_GPU_RESUME_MARGIN_C": "4", "BACKPROP_GPU_MAX_TEMP_C": "72"}
    settings = machine.load(environment, options={"gpu.max_temp_c": ("73", "--gpu-max-temp")})
    found = {name: (settings[name], settings.origin(name)) for name in KEYS if settings.origin(name) != DEFAULT}
    assert found == {
        "max_parallel": (3, f"{machine.user_file}:1"),
        "gpu.min_free_vram_mb": (2.0, f"{project}:2"),
        "gpu.resume_margin_c": (4.0, "environment BACKPROP_GPU_RESUME_MARGIN_C"),
        "gpu.max_temp_c": (73.0, "option --gpu-max-temp"),
    }


@pytest.mark.parametrize(
    ("first", "second"), [("backprop.toml", "backprop.config.json"), ("backprop.config.json", ".backprop.json")]
)
def test_only_the_first_of_several_project_files_counts(machine: Machine, first: str, second: str) -> None:
    (machine.directory / first).write_text("max_parallel = 5" if first.endswith("toml") else '{"maxParallel": 5}')
    (machine.directory / second).write_text('{"maxParallel": 6, "maxRunMinutes": 3}')
    settings = machine.load()
    assert (settings["max_parallel"], settings["max_run_minutes"]) == (5, 10.0)


def test_the_user_file_is_not_read_again_as_the_projects(machine: Machine) -> None:
    beside = Machine(user_file=machine.directory / "backprop.toml", directory=machine.directory)
    beside.user_file.write_text("max_parallel = 5")
    assert beside.load().origin("max_parallel") == f"{beside.user_file}:1"


def test_variables_that_match_no_key_are_ignored(machine: Machine) -> None:
    environment = {"BACKPROP_RUN_ID": "x", "BACKPROP_DEADLINE": "1", "BACKPROP_MAX_PARALEL": "what"}
    assert {machine.load(environment).origin(name) for name in KEYS} == {DEFAULT}


def test_an_empty_variable_is_ignored(machine: Machine) -> None:
    assert machine.load({"BACKPROP_MAX_PARALLEL": ""}).origin("max_parallel") == DEFAULT
    assert invalid_variables({"BACKPROP_MAX_PARALLEL": ""}) == []


def test_a_wrong_variable_is_named_with_its_key_and_allowed_values(machine: Machine) -> None:
    message = machine.refusal({"BACKPROP_MAX_PARALLEL": "many"})
    assert message == "environment BACKPROP_MAX_PARALLEL: max_parallel = 'many': must be a number"


def test_every_wrong_variable_is_found(machine: Machine) -> None:
    wrong = invalid_variables(
        {"BACKPROP_MAX_PARALLEL": "many", "BACKPROP_GPU_PROBE": "eye", "BACKPROP_FRAMEWORK": "auto"}
    )
    assert [error.where for error in wrong] == ["environment BACKPROP_MAX_PARALLEL", "environment BACKPROP_GPU_PROBE"]


def test_the_limits_of_a_run_are_the_defaults_of_the_domain(machine: Machine) -> None:
    assert run_limits(machine.load()) == RunLimits()


def test_a_run_keeps_its_thresholds(machine: Machine) -> None:
    machine.user_file.write_text(
        'min_free_ram_gb = 1.5\ngpu_memory_limit = "80%"\n[governor]\non_nan = "stop"\nmax_pause_minutes = 2\n'
    )
    limits = run_limits(machine.load())
    assert limits.min_free_ram_bytes == 1_500_000_000
    assert limits.gpu_memory_limit == MemoryLimit(fraction=0.8)
    assert (limits.on_nan, limits.max_pause_seconds) == ("stop", 120.0)


def test_max_parallel_of_the_user_file_is_the_machines(machine: Machine) -> None:
    machine.user_file.write_text("max_parallel = 7")
    assert run_limits(machine.load()).max_parallel is None


def test_max_parallel_outside_the_user_file_is_the_runs(machine: Machine) -> None:
    assert run_limits(machine.load({"BACKPROP_MAX_PARALLEL": "7"})).max_parallel == 7
    assert run_limits(machine.load(options={"max_parallel": ("8", "-p")})).max_parallel == 8
    (machine.directory / ".backprop.json").write_text('{"maxParallel": 9}')
    assert run_limits(machine.load()).max_parallel == 9
