"""Errors in settings files name file, line, key and allowed values."""

from __future__ import annotations

from pathlib import Path

import pytest

from backprop_tui.config.files import original_arguments_in, read_file, read_valid
from backprop_tui.config.keys import JSON_NAMES, KEYS, key_in_json
from tests.config.settings_files import Machine

ORIGINAL = """{
  "trainingScriptPath": "train.py",
  "maxRunMinutes": 30,
  "maxParallel": 4,
  "minFreeRamGB": 2,
  "gpuMemoryLimit": "80%",
  "checkpointEveryMinutes": 5,
  "gpu": {
    "probe": "rocm",
    "minFreeVramMB": 3000,
    "maxTempC": 80
  }
}"""


def _written(folder: Path, name: str, content: str) -> str:
    path = folder / name
    path.write_text(content)
    return str(path)


def test_a_file_of_the_original_tool_keeps_its_meaning(tmp_path: Path) -> None:
    path = _written(tmp_path, "backprop.config.json", ORIGINAL)
    settings = read_file(path)
    assert {name: setting.value for name, setting in settings.items()} == {
        "max_run_minutes": 30.0,
        "max_parallel": 4,
        "min_free_ram_gb": 2.0,
        "gpu_memory_limit": "80%",
        "checkpoint_every_minutes": 5.0,
        "gpu.probe": "amd",
        "gpu.min_free_vram_mb": 3000.0,
        "gpu.max_temp_c": 80.0,
    }
    assert settings["gpu.max_temp_c"].origin == f"{path}:11"
    assert original_arguments_in(path) == ["trainingScriptPath"]


def test_files_written_by_the_original_tools_init_are_understood(tmp_path: Path) -> None:
    path = _written(tmp_path, ".backprop.json", '{"trainingScriptPath": "t.py", "gpu": {"minFreeRamGB": 3}}')
    assert read_file(path)["min_free_ram_gb"].value == 3.0


@pytest.mark.parametrize(
    ("name", "key"),
    [
        *((name, "min_free_ram_gb") for name in ("minFreeRam", "minFreeRAM", "minFreeRamGb", "minFreeRamGB")),
        *((name, "gpu.min_free_vram_mb") for name in ("gpuMinVram", "gpuMinVramMb", "gpuMinFreeVramMb")),
        *((name, "gpu.max_temp_c") for name in ("gpuMaxTemp", "gpuMaxTempC")),
    ],
)
def test_json_may_spell_a_unit_in_any_case(tmp_path: Path, name: str, key: str) -> None:
    assert read_file(_written(tmp_path, ".backprop.json", f'{{"{name}": 3}}'))[key].value == 3.0


@pytest.mark.parametrize("name", sorted(KEYS))
def test_json_has_every_key_in_camel_case(name: str) -> None:
    assert "_" not in KEYS[name].in_camel_case
    assert key_in_json(KEYS[name].in_camel_case) is KEYS[name]


def test_no_two_keys_share_a_name_in_json_or_a_variable() -> None:
    assert all(key_in_json(name) is key for name, key in JSON_NAMES.items())
    assert len({key.variable for key in KEYS.values()}) == len(KEYS)


def test_a_number_as_memory_limit_is_gigabytes_in_both_kinds_of_file(tmp_path: Path) -> None:
    for path in (
        _written(tmp_path, "a.json", '{"gpuMemoryLimit": 8}'),
        _written(tmp_path, "a.toml", "gpu_memory_limit = 8"),
    ):
        assert read_file(path)["gpu_memory_limit"].value == "8"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("max_paralel = 2", ":1: unknown key 'max_paralel'; did you mean 'max_parallel'?"),
        ("\n[gpu]\nmax_tmp_c = 80", ":3: unknown key 'gpu.max_tmp_c'; did you mean 'gpu.max_temp_c'?"),
        ("max_temp_c = 80", ":1: unknown key 'max_temp_c'; did you mean 'gpu.max_temp_c'?"),
        (
            "[governor]\nmin_free_ram_gb = 2",  # a key of another table, although its own has a similar one
            ":2: unknown key 'governor.min_free_ram_gb'; did you mean 'min_free_ram_gb'?",
        ),
        ("[governer]\nstart_burst = 2", ":1: unknown key 'governer'; did you mean 'governor'?"),
        ("zzz = 1", ":1: unknown key 'zzz'; `backprop-tui config show` lists all keys"),
        ("gpu = 5", ":1: gpu is a table; its keys belong below a line [gpu]"),
        ("[[gpu]]\nprobe = 'auto'", ":1: gpu is a table; its keys belong below a line [gpu]"),
        ("max_parallel = 1.5", ":1: max_parallel = 1.5: must be a whole number, at least 0"),
        ("[slurm]\ncpus = 1.5", ':2: slurm.cpus = 1.5: must be a whole number, at least 1, or "none"'),
        ("# x\nmax_run_minutes = 0", ':2: max_run_minutes = 0: must be more than 0, or "none"'),
        (
            "max_run_minutes = 'long'",
            ":1: max_run_minutes = 'long': must be a number of minutes or a duration such as 45s",
        ),
        ("framework = 'jax'", ":1: framework = 'jax': must be one of auto, pytorch, tensorflow"),
        ("[run]\nstop_signal = 'STOP'", ":2: run.stop_signal = 'STOP': SIGSTOP does not stop a script; use INT"),
        ("[run]\nstop_signal = 'INTERRUPT'", ":2: run.stop_signal = 'INTERRUPT': 'INTERRUPT' is not a signal"),
        ("[run]\nwarn_signal = 'USR1'", ":2: run.warn_signal = 'USR1': must be SIGNAL@SECONDS"),
        ("gpu_memory_limit = '180%'", ":1: gpu_memory_limit = '180%': must be a share of the GPU"),
        ("[notify]\nbell = 'loud'", ":2: notify.bell = 'loud': must be true or false"),
        ("[run]\ncheckpoint_globs = [1]", ":2: run.checkpoint_globs = [1]: must be a list of texts"),
        (
            "[readers]\npatterns = ['step (?P<step']",
            ":2: readers.patterns = ['step (?P<step']: 'step (?P<step' is not a reg",
        ),
        (
            "[readers]\npatterns = ['loss .*']",
            ":2: readers.patterns = ['loss .*']: 'loss .*' has no named group",
        ),
        ("gpu.max_temp_c = 'hot'", ":1: gpu.max_temp_c = 'hot': must be a number"),
        ("gpu = {max_temp_c = 'hot'}", ":1: gpu.max_temp_c = 'hot': must be a number"),
        ("a = 1\na = = 2", ":2: not valid TOML: "),
        ("min_free_ram_gb = nan", ":1: min_free_ram_gb = nan: must be a finite number"),
        (f"max_parallel = 1{'0' * 400}", ":1: max_parallel = "),
        ("min_free_ram_gb = 1e300", ":1: min_free_ram_gb = 1e+300: must be at most 1000000000"),
        ("max_run_minutes = 1e300", ":1: max_run_minutes = 1e+300: must be at most 1000000000"),
        (f"max_parallel = {'9' * 5000}", ": not valid TOML: Exceeds the limit"),
        (f"max_parallel = {'[' * 5000}{']' * 5000}", ": not valid TOML: nested too deeply"),
        ("max_parallel = 1\nmax_parallel = 2", ":2: not valid TOML: Cannot overwrite a value"),
    ],
)
def test_errors_name_line_key_and_remedy(machine: Machine, content: str, message: str) -> None:
    machine.user_file.write_text(content)
    assert machine.refusal().startswith(f"{machine.user_file}{message}")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{\n"maxRunMinuts": 3}', ":2: unknown key 'maxRunMinuts'; did you mean 'maxRunMinutes'?"),
        ('{"gpu": {\n"maxTemp": 3}}', ":2: unknown key 'gpu.maxTemp'; did you mean 'gpu.maxTempC'?"),
        ('{"maxParallel": null}', ":1: maxParallel = None: must be a number"),
        ('{"gpu": {"probe": "eye"}}', ":1: gpu.probe = 'eye': must be one of auto, nvml"),
        ('{"maxParallel": 1\n"gpu": {}}', ":2: not valid JSON: "),
        ("[1]", ": must be a JSON object"),
        ("[" * 100_000, ": not valid JSON"),
        (f'{{"maxParallel": {"9" * 5000}}}', ": not valid JSON: Exceeds the limit"),
        ('{"maxParallel": 1, "maxParallel": 9}', ":1: 'maxParallel' is defined twice"),
        ('{"gpu": {\n"maxTempC": 1, "maxTempC": 9}}', ":2: 'maxTempC' is defined twice"),
        ('{"minFreeRamGB": 1,\n"minFreeRam": 9}', ":2: minFreeRam sets the same as 'minFreeRamGB'; keep one"),
    ],
)
def test_the_same_goes_for_json_of_the_original(machine: Machine, content: str, message: str) -> None:
    path = machine.directory / ".backprop.json"
    path.write_text(content)
    assert machine.refusal().startswith(f"{path}{message}")


def test_a_file_that_is_not_text_or_unreadable_is_named(machine: Machine) -> None:
    machine.user_file.write_bytes(b"max_parallel = 2 # \xff")
    assert machine.refusal() == f"{machine.user_file}: not UTF-8 text: invalid start byte at byte 19"
    machine.user_file.unlink()
    machine.user_file.mkdir()
    assert machine.refusal().startswith(f"{machine.user_file}: cannot be read: a directory, not a regular file")


@pytest.mark.parametrize("content", ["max_parallel = 1\nmax_parallel = 2", "[gpu]\n[gpu]"])
def test_duplicates_in_toml_are_reported_as_such(machine: Machine, content: str) -> None:
    machine.user_file.write_text(content)
    assert machine.refusal().endswith("; a key or a table is defined twice")


def test_a_byte_order_mark_does_no_harm(machine: Machine) -> None:
    machine.user_file.write_bytes(b"\xef\xbb\xbfmax_parallel = 9\r\n")
    assert machine.load()["max_parallel"] == 9


def test_every_problem_of_a_file_is_reported(tmp_path: Path) -> None:
    path = _written(tmp_path, "config.toml", "max_parallel = -1\nframework = 'auto'\n[gpu]\nprobe = 1\nprob = 2\n")
    assert [error.where for error in read_valid(path)[1]] == [f"{path}:1", f"{path}:4", f"{path}:5"]
    assert read_valid(str(tmp_path / "none.toml")) == ({}, [])
    assert len(read_valid(_written(tmp_path, "bad.toml", "="))[1]) == 1
