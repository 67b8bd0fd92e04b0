"""The precedence of the layers of settings, and the origin of each value."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import backprop_tui
from backprop_tui.config.keys import KEYS
from backprop_tui.config.load import (
    DEFAULT,
    Settings,
    load,
    machine_limits,
    machine_probe,
    read_layers,
    run_limits,
)
from backprop_tui.domain.errors import ConfigError
from backprop_tui.domain.limits import MachineLimits, MemoryLimit, RunLimits
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
    settings = machine.load(environment)
    overridden = {name: (settings[name], settings.origin(name)) for name in KEYS if settings.origin(name) != DEFAULT}
    assert overridden == {
        "max_parallel": (3, f"{machine.user_file}:1"),
        "gpu.min_free_vram_mb": (2.0, f"{project}:2"),
        "gpu.resume_margin_c": (4.0, "environment BACKPROP_GPU_RESUME_MARGIN_C"),
        "gpu.max_temp_c": (72.0, "environment BACKPROP_GPU_MAX_TEMP_C"),
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


def test_a_wrong_variable_is_named_with_its_key_and_allowed_values(machine: Machine) -> None:
    message = machine.refusal({"BACKPROP_MAX_PARALLEL": "many"})
    assert message == (
        "environment BACKPROP_MAX_PARALLEL: max_parallel = 'many': must be a number, or \"auto\"; "
        "`unset BACKPROP_MAX_PARALLEL` takes it back"
    )


def test_every_wrong_variable_is_found_and_the_valid_ones_remain(machine: Machine) -> None:
    environment = {"BACKPROP_MAX_PARALLEL": "many", "BACKPROP_GPU_PROBE": "eye", "BACKPROP_MAX_RUN_MINUTES": "7"}
    layer = read_layers(str(machine.user_file), str(machine.directory), environment, named=False)[-1]
    assert [error.where for error in layer.problems] == [
        "environment BACKPROP_MAX_PARALLEL",
        "environment BACKPROP_GPU_PROBE",
    ]
    assert {name: setting.value for name, setting in layer.settings.items()} == {"max_run_minutes": 7.0}


def test_the_limits_of_a_run_are_the_defaults_of_the_domain(machine: Machine) -> None:
    assert run_limits(machine.load()) == RunLimits()


def test_a_run_keeps_its_thresholds(machine: Machine) -> None:
    machine.user_file.write_text(
        'min_free_ram_gb = 1.5\ngpu_memory_limit = "80%"\n[governor]\non_nan = "stop"\nmax_pause_minutes = 2\n'
    )
    limits = run_limits(machine.load())
    assert limits.min_free_ram_bytes == 3 << 29
    assert limits.gpu_memory_limit == MemoryLimit(fraction=0.8)
    assert (limits.on_nan, limits.max_pause_seconds) == ("stop", 120.0)


def test_max_parallel_of_the_user_file_is_the_machines(machine: Machine) -> None:
    machine.user_file.write_text("max_parallel = 7")
    assert run_limits(machine.load()).max_parallel is None


def test_max_parallel_outside_the_user_file_is_the_runs(machine: Machine) -> None:
    assert run_limits(machine.load({"BACKPROP_MAX_PARALLEL": "7"})).max_parallel == 7
    (machine.directory / ".backprop.json").write_text('{"maxParallel": 9}')
    assert run_limits(machine.load()).max_parallel == 9


def test_automatic_max_parallel_is_resolved_by_the_machine(machine: Machine) -> None:
    machine.user_file.write_text("max_parallel = 3")
    assert run_limits(machine.load({"BACKPROP_MAX_PARALLEL": "AUTO"})).max_parallel is None
    machine.user_file.write_text('max_parallel = "auto"')
    assert machine_limits(str(machine.user_file)).max_parallel is None
    (machine.directory / ".backprop.json").write_text('{"maxParallel": "auto"}')
    assert machine.load()["max_parallel"] == "auto"


def test_without_a_file_the_limits_are_the_defaults_of_the_domain(tmp_path: Path) -> None:
    assert machine_limits(str(tmp_path / "none.toml")) == MachineLimits()
    assert machine_probe(str(tmp_path / "none.toml")) == "auto"


def test_the_users_file_sets_the_limits_of_the_machine(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("max_parallel = 0\n[governor]\nstart_burst = 9\nstarts_per_minute = 0.5\n[gpu]\nprobe = 'none'\n")
    assert machine_limits(str(path)) == MachineLimits(max_parallel=0, start_burst=9, starts_per_minute=0.5)
    assert machine_probe(str(path)) == "none"


def test_a_file_with_errors_does_not_fall_back_to_defaults(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("max_parallel = -1")
    with pytest.raises(ConfigError, match="max_parallel = -1"):
        machine_limits(str(path))


@pytest.mark.parametrize("content", [f"max_parallel = {'9' * 5000}", f"max_parallel = {'[' * 5000}"])
def test_no_file_raises_what_the_supervisor_does_not_expect(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(content)
    with pytest.raises(ConfigError):
        machine_limits(str(path))


def test_without_a_file_no_parser_is_loaded_and_nothing_beyond_the_standard_library(tmp_path: Path) -> None:
    program = """
import sys
sys.path.insert(0, sys.argv[1])
from backprop_tui.config.load import machine_limits
machine_limits(sys.argv[2])
print(sorted(sys.modules.keys() & {"json", "tomllib", "tomli_w", "platformdirs", "difflib", "pathlib"}))
"""
    root, absent = str(Path(backprop_tui.__file__).parent.parent), str(tmp_path / "none.toml")
    command = [sys.executable, "-I", "-S", "-c", program, root, absent]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def loaded(tmp_path: Path, **environment: str) -> Settings:
    return load(environment=environment, directory=str(tmp_path), user_file=str(tmp_path / "config.toml"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("backprop.toml", '[notify]\ncommand = "sh -c evil"\n'),
        ("backprop.config.json", '{"notify": {"command": "sh -c evil"}}'),
    ],
)
def test_a_command_of_a_project_is_refused_with_file_and_advice(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path)
    assert str(tmp_path / name) in str(refused.value)
    assert "notify.command may only be set in the user's config.toml" in str(refused.value)


def test_the_user_file_and_the_environment_may_set_one(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[notify]\ncommand = "mine"\n')
    assert loaded(tmp_path)["notify.command"] == "mine"
    assert loaded(tmp_path, BACKPROP_NOTIFY_COMMAND="other")["notify.command"] == "other"


def test_other_notify_settings_may_be_set_by_a_project(tmp_path: Path) -> None:
    (tmp_path / "backprop.toml").write_text("[notify]\nbell = false\n")
    assert loaded(tmp_path)["notify.bell"] is False


def test_own_keys_and_commands_are_read_from_the_users_file_only(machine: Machine) -> None:
    text = '[keys]\n"ctrl+t" = "ls"\n[[commands]]\nname = "size"\ncommand = "du -sh {run_dir}"\noutput = "screen"\n'
    machine.user_file.write_text(text)
    settings = machine.load()
    assert settings.table("keys") == {"ctrl+t": "ls"}
    assert settings.tables("commands") == ({"name": "size", "command": "du -sh {run_dir}", "output": "screen"},)
    machine.user_file.unlink()
    (machine.directory / "backprop.toml").write_text(text)
    with pytest.raises(ConfigError, match="keys may only be set in the user's"):
        machine.load()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("keys = 3", "must be a table"),
        ("[keys]\nx = 3", "x must be a text, not empty"),
        ('[[commands]]\nname = "x"', "number 1: command is missing; each needs name and command"),
        ('[[commands]]\nname = "x"\ncommand = "y"\noutput = "z"', "must be one of terminal, screen, background"),
        ('[[commands]]\nname = "x"\ncommand = "y"\nkye = "z"', "kye is not one of name, command, key, output"),
    ],
)
def test_a_wrong_table_is_refused(machine: Machine, text: str, problem: str) -> None:
    machine.user_file.write_text(text)
    with pytest.raises(ConfigError, match=problem):
        machine.load()


def test_a_file_in_a_folder_with_a_similar_name_is_named_while_there_is_no_other(tmp_path: Path) -> None:
    for folder in ("backprop-tui", "other"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "config.toml").write_text("")
    user_file = tmp_path / "backprop" / "config.toml"
    (layer, _) = read_layers(str(user_file), str(tmp_path / "other"), {}, named=False)
    assert layer.remarks == [f"{tmp_path}/backprop-tui/config.toml is not read; move it here"]
    user_file.parent.mkdir()
    user_file.write_text("")
    (layer, _) = read_layers(str(user_file), str(tmp_path / "other"), {}, named=False)
    assert not layer.remarks


def test_a_project_only_tightens_the_limits_of_the_user(machine: Machine) -> None:
    machine.user_file.write_text(
        "max_parallel = 1\nmin_free_ram_gb = 8\n[gpu]\nmax_temp_c = 70\n[governor]\nmax_load_per_core = 1.5\n"
    )
    project = machine.directory / "backprop.toml"
    project.write_text(
        "max_parallel = 100\nmin_free_ram_gb = 9\n[gpu]\nmax_temp_c = 0\n[governor]\nmax_load_per_core = 1\n"
    )
    settings = machine.load()
    names = ("max_parallel", "min_free_ram_gb", "gpu.max_temp_c", "governor.max_load_per_core")
    assert tuple(settings[name] for name in names) == (1, 9.0, 70.0, 1.0)
    assert settings.origin("max_parallel") == f"{machine.user_file}:1"
    assert [note.partition(" of /")[0] for note in settings.notes] == [
        f"{project}:1: max_parallel = 100 is not used: the stricter max_parallel = 1",
        f"{project}:4: gpu.max_temp_c = 0.0 is not used: the stricter gpu.max_temp_c = 70.0",
    ]


def test_what_a_project_has_executed_is_named(machine: Machine) -> None:
    project = machine.directory / "backprop.toml"
    project.write_text('[run]\npython = "./mine.sh"\n[slurm]\nextra = ["--bb=x"]\n')
    settings = machine.load()
    assert settings["run.python"] == "./mine.sh"
    assert settings.notes == [
        f"{project}:2: run.python = ./mine.sh is used, as this project says",
        f"{project}:4: slurm.extra = ('--bb=x',) is used, as this project says",
    ]


def test_nothing_is_executed_because_of_a_project_file_that_others_may_write(machine: Machine) -> None:
    project = machine.directory / "backprop.toml"
    project.write_text('max_run_minutes = 3\n[run]\npython = "./evil.sh"\n')
    project.chmod(0o666)
    settings = machine.load()
    assert (settings["run.python"], settings["max_run_minutes"]) == (None, 3.0)
    assert settings.notes == [
        f"{project}:3: run.python = ./evil.sh is not used: the file can be written by everybody (mode 666)"
    ]


def test_the_first_of_several_errors_says_what_lists_all_of_them(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("max_paralel = 1\nnothing = 2\n")
    with pytest.raises(
        ConfigError, match=r"did you mean 'max_parallel'\? `.*unset.*`.*; `backprop-tui .*config check` lists all"
    ):
        load(environment={}, directory=str(tmp_path), user_file=str(path))


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("max_run_minutes = 'two hours'\n", "config set max_run_minutes VALUE` repairs it"),
        ("max_run_minutes = 5h\nmax_parallel = 2\n", "config set max_run_minutes VALUE` repairs it"),  # not TOML
        ("[foo]\na = 1\n", "config unset foo` removes it"),
        ("gpu = 5\n", "config unset gpu` removes it"),
    ],
)
def test_an_error_in_the_users_file_names_the_command_that_repairs_it(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, text: str, command: str
) -> None:
    machine.user_file.write_text(text)
    assert f"`backprop-tui --config {machine.user_file} {command}" in machine.refusal()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(machine.user_file.parent))
    usual = machine.user_file.parent / "backprop" / "config.toml"
    usual.parent.mkdir()
    usual.write_text(text)
    with pytest.raises(ConfigError) as refused:
        load(environment={}, directory=str(machine.directory), user_file=str(usual))
    assert f"`backprop-tui {command}" in str(refused.value)


def test_no_command_is_named_that_would_not_repair_an_error(machine: Machine) -> None:
    machine.user_file.write_text("max_run_minutes = 5h\nmax_parallel = two\n")
    assert "config set" not in machine.refusal()
    machine.user_file.write_text("max_parallel = 2\nmax_parallel = 3\n")
    assert "config set" not in machine.refusal()
    machine.user_file.unlink()
    (machine.directory / "backprop.toml").write_text("max_run_minutes = 'two hours'\n")
    assert "config set" not in machine.refusal()


def test_what_is_stronger_than_the_users_file_is_named_with_its_value(machine: Machine) -> None:
    machine.user_file.write_text("max_run_minutes = 90\n[governor]\nstarts_per_minute = 2\n")
    assert machine.load().stronger_than_file("max_run_minutes") == ""
    project = machine.directory / "backprop.toml"
    project.write_text("max_run_minutes = 240\n")
    assert machine.load().stronger_than_file("max_run_minutes") == f"240 of {project}:1 applies"
    variables = {
        "BACKPROP_MAX_RUN_MINUTES": "7",
        "BACKPROP_MAX_PARALLEL": "3",
        "BACKPROP_GOVERNOR_STARTS_PER_MINUTE": "5",
    }
    settings = machine.load(variables)
    assert settings.stronger_than_file("max_run_minutes") == "7 of BACKPROP_MAX_RUN_MINUTES applies"
    assert settings.stronger_than_file("max_parallel") == "3 of BACKPROP_MAX_PARALLEL applies to runs queued here"
    assert settings.stronger_than_file("governor.starts_per_minute") == "", "the supervisor reads the file alone"
