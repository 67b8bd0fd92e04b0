"""`config` shows what is in force and why, writes the user's file, and finds every mistake."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from backprop_tui.cli.invocation import run_program
from backprop_tui.cli.session import Session
from backprop_tui.config.keys import KEYS
from backprop_tui.main import _key_problems
from backprop_tui.tui.theme import load_preferences
from tests.support.commands import Commands


def test_every_key_is_shown_with_value_and_origin(
    obey: Commands, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workplace / "backprop.toml").write_text("max_run_minutes = 2.5\n")
    monkeypatch.setenv("BACKPROP_GPU_MAX_TEMP_C", "80")
    shown = obey.json("config", "show")
    assert list(shown) == list(KEYS)
    assert shown["max_run_minutes"] == {"value": 2.5, "origin": f"{workplace}/backprop.toml:1"}
    assert shown["gpu.max_temp_c"] == {"value": 80.0, "origin": "environment BACKPROP_GPU_MAX_TEMP_C"}
    assert shown["run.python"] == {"value": None, "origin": "default"}
    lines = {line.split()[0]: line.split()[1:] for line in obey("config", "show").lines}
    assert lines["gpu.max_temp_c"] == ["80", "environment", "BACKPROP_GPU_MAX_TEMP_C"]
    assert lines["run.python"] == ["none", "default"]


def test_automatic_max_parallel_is_shown_with_what_it_means_here(obey: Commands, workplace: Path) -> None:
    here = obey.json("config", "show", "max_parallel")["max_parallel"]
    assert here == {"value": "auto", "origin": "default", "here": here["here"]}
    assert here["here"] >= 2
    line = f"max_parallel  auto ({here['here']} here)  default"
    assert obey("config", "show", "max_parallel").lines[1:] == [line]
    obey("config", "set", "max_parallel", "3")
    (workplace / "backprop.toml").write_text('max_parallel = "auto"\n')
    assert obey.json("config", "show", "max_parallel")["max_parallel"]["here"] == 3


def test_the_path_is_printed_whether_the_file_exists_or_not(obey: Commands, session: Session) -> None:
    assert obey("config", "path").lines == [session.config_path]
    assert obey.json("config", "path") == {"path": session.config_path, "exists": False}


def test_init_set_and_show_agree(obey: Commands, session: Session) -> None:
    assert obey("config", "init").lines == [f"{session.config_path}: written"]
    assert obey("config", "init").code == 2
    assert obey("config", "set", "gpu.max_temp_c", "80").lines == [
        (
            f"gpu.max_temp_c = 80: written to {session.config_path}; runs that are queued already keep theirs; "
            "to change one: backprop-tui edit RUN --gpu-max-temp 80"
        )
    ]
    assert obey.json("config", "show", "gpu.max_temp_c")["gpu.max_temp_c"]["value"] == 80.0
    assert obey.json("config", "set", "run.checkpoint_globs", "a,b")["value"] == ["a", "b"]


def test_dry_runs_write_nothing(obey: Commands, session: Session) -> None:
    assert obey("config", "init", "--dry-run").lines == [f"{session.config_path}: would be written"]
    assert "would be written" in obey("config", "set", "max_parallel", "3", "--dry-run").out
    assert obey("config", "set", "max_parallel", "x", "--dry-run").code == 2
    assert not os.path.exists(session.config_path)


def test_a_named_config_file_is_read_and_written(obey: Commands, workplace: Path) -> None:
    mine = str(workplace / "mine.toml")
    refusal = obey("--config", mine, "run", "--", "true").err
    assert f"{mine}: there is no such file; to create it: backprop-tui --config {mine} config init" in refusal
    assert obey("config", "set", "max_parallel", "9", "--config", mine).code == 0
    assert obey.json("config", "show", "max_parallel", "--config", mine)["max_parallel"]["origin"] == f"{mine}:1"


def test_mistakes_are_refused_with_the_nearest_key(obey: Commands) -> None:
    result = obey("config", "set", "max_paralel", "3")
    assert (result.code, result.err) == (
        2,
        "backprop-tui: config set: unknown key 'max_paralel'; did you mean 'max_parallel'?\n",
    )
    assert "did you mean 'gpu.probe'?" in obey("config", "show", "gpu.prob").err
    assert obey("config", "set", "max_parallel").code == 2
    assert "ACTION" in obey("config").err


def test_check_finds_every_mistake_in_every_place(
    obey: Commands, workplace: Path, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert obey("config", "check").code == 0
    obey("config", "init")
    with open(session.config_path, "a", encoding="ascii") as file:
        file.write("loud = 1\n")
    last = len(Path(session.config_path).read_text(encoding="utf-8").splitlines())
    (workplace / ".backprop.json").write_text('{"maxParallel": -1, "gpu": {"maxTempC": "hot"}}')
    monkeypatch.setenv("BACKPROP_FRAMEWORK", "jax")
    result = obey("config", "check")
    assert result.code == 2
    assert [line.partition("bad   ")[2].partition(": ")[0] for line in result.lines] == [
        f"{session.config_path}:{last}",
        f"{workplace}/.backprop.json:1",
        f"{workplace}/.backprop.json:1",
        "environment BACKPROP_FRAMEWORK",
    ]
    output = obey("config", "check", "--json").json
    assert (output["ok"], len(output["problems"])) == (False, 4)


def test_check_and_the_dashboard_name_the_same_mistakes_in_keys_and_commands(
    session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(session.config_path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('[keys]\ns = "ls"\nf5 = "stpo"\nf6 = "ls {rundir}"\n[[commands]]\nname = "a"\ncommand = "ls"\n')
    assert run_program(["config", "check"], key_problems=_key_problems) == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        f"bad   {path}:2: the key s is in use (stop); choose another",
        f"bad   {path}:3: f5 = 'stpo' is neither an action nor a command; did you mean stop?",
    ]
    assert lines[2].startswith(f"bad   {path}:4: f6: ls {{rundir}}: {{rundir}} is not a placeholder; these are: {{id}}")
    assert lines[3:] == ["ok    environment"]
    shown = load_preferences(str(path), {}).command_problems
    assert [f"bad   {path.parent}/{line}" for line in shown] == lines[:3]
    assert run_program(["doctor", "--json"], key_problems=_key_problems) == 1
    checks = json.loads(capsys.readouterr().out)["checks"]
    assert [f"bad   {check['message']}" for check in checks if check["check"] == "settings"][:3] == lines[:3]
    assert run_program(["config", "check", "--json"], key_problems=_key_problems) == 2
    problem = json.loads(capsys.readouterr().out)["problems"][0]
    assert problem == {"where": f"{path}:2", "problem": "the key s is in use (stop)", "hint": "choose another"}


def test_a_long_table_is_counted_among_all_settings_and_shown_by_itself(obey: Commands, session: Session) -> None:
    path = Path(session.config_path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('[keys]\nf5 = "tensorboard --logdir {run_dir} --port 6006"\nf6 = "view"\n')
    row, *_ = [line for line in obey("config", "show").lines if line.startswith("keys")]
    assert row.split()[1:3] == ["2", "values"]
    assert max(line.index(session.config_path) for line in obey("config", "show").lines if "config.toml" in line) < 60
    assert "f5 = tensorboard --logdir {run_dir} --port 6006" in obey("config", "show", "keys").out


def test_check_lists_keys_of_the_original_that_have_no_effect(obey: Commands, workplace: Path) -> None:
    (workplace / "backprop.config.json").write_text('{"trainingScriptPath": "t.py", "maxParallel": 1}')
    result = obey("config", "check")
    assert result.code == 0
    assert "trainingScriptPath: not a setting" in result.out


@pytest.mark.parametrize(
    ("content", "problem", "max_parallel"),
    [
        ("max_parallel = 7\nzzz = 1\n", ":2: unknown key 'zzz'", 7),
        ("max_parallel = 7\nmax_run_minutes = 'ten'\n", ":2: max_run_minutes = 'ten'", 7),
        ("max_parallel = 7\n[gpu\n", ":2: not valid TOML", KEYS["max_parallel"].default),
        ("max_parallel = 7 # \xff\n", ": not UTF-8 text", KEYS["max_parallel"].default),
    ],
)
def test_show_shows_what_is_valid_and_names_what_is_wrong(
    obey: Commands,
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
    content: str,
    problem: str,
    max_parallel: object,
) -> None:
    path = Path(session.config_path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="latin-1")
    monkeypatch.setenv("BACKPROP_FRAMEWORK", "jax")
    result = obey("config", "show")
    assert result.code == 2
    assert [line.split()[0] for line in result.lines[1:]] == list(KEYS)
    assert f"{path}{problem}" in result.err
    assert "environment BACKPROP_FRAMEWORK: framework = 'jax'" in result.err
    answer = obey("config", "show", "max_parallel", "--json").json
    assert answer["error"]["kind"] == "configuration"
    assert answer["settings"]["max_parallel"]["value"] == max_parallel


def test_only_what_needs_the_settings_refuses_a_wrong_file(obey: Commands, session: Session) -> None:
    obey("config", "init")
    with open(session.config_path, "a", encoding="ascii") as file:
        file.write("zzz = 1\n")
    assert obey("config", "path").code == obey("list").code == 0
    assert "unknown key 'notify.zzz'" in obey("run", "--", "true").err
    assert "unknown key 'notify.zzz'" in obey("doctor").out
    Path(session.config_path).unlink()
    assert obey("config", "init").code == 0


def test_a_file_that_cannot_be_written_is_refused_with_another_way(
    obey: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/proc")  # read-only, even for root
    for command in (("config", "init"), ("config", "set", "max_parallel", "3")):
        result = obey(*command)
        assert result.code == 2
        assert "set XDG_CONFIG_HOME to a directory you can write" in result.err


def test_a_key_is_removed_and_what_applies_then_is_said(obey: Commands, workplace: Path, session: Session) -> None:
    path = Path(session.config_path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("max_parallel = 4\nmax_run_minutes = 90\nzzz = 1\n")
    dry = obey("config", "unset", "max_parallel", "--dry-run").out
    assert dry == f"max_parallel: would be removed from {path}; the default auto applies\n"
    assert obey.json("config", "unset", "max_parallel") == {"path": str(path), "key": "max_parallel", "removed": True}
    assert obey.json("config", "unset", "max_parallel")["removed"] is False
    assert obey("config", "unset", "zzz").out == f"zzz: removed from {path}\n"
    (workplace / "backprop.toml").write_text("max_run_minutes = 240\n")
    assert obey("config", "unset", "max_run_minutes").out == (
        f"max_run_minutes: removed from {path}; 240 of {workplace}/backprop.toml:1 applies; "
        "runs that are queued already keep theirs\n"
    )
    assert path.read_text() == ""
    assert obey("config", "unset", "max_paralel").code == 2


def test_setting_a_key_says_what_is_stronger_than_the_file(
    obey: Commands, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "but" not in obey("config", "set", "max_run_minutes", "90").out
    (workplace / "backprop.toml").write_text("max_run_minutes = 240\n")
    written = obey("config", "set", "max_run_minutes", "90").out
    assert f", but 240 of {workplace}/backprop.toml:1 applies; runs that are" in written
    monkeypatch.setenv("BACKPROP_MAX_RUN_MINUTES", "7")
    assert ", but 7 of BACKPROP_MAX_RUN_MINUTES applies" in obey("config", "set", "max_run_minutes", "90").out


@pytest.mark.parametrize("words", [("list",), ("status",)])
def test_commands_that_need_no_setting_say_in_one_line_that_one_is_wrong(
    obey: Commands, session: Session, workplace: Path, words: tuple[str, ...]
) -> None:
    assert "configuration" not in obey(*words).err
    path = Path(session.config_path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("max_run_minutes = 'two hours'\nzzz = 1\n")
    result = obey(*words)
    assert result.code == 0
    (line,) = [line for line in result.err.splitlines() if "configuration" in line]
    assert line.startswith(f"backprop-tui: the configuration has an error: {path}:1: max_run_minutes = 'two hours'")
    assert "`backprop-tui config set max_run_minutes VALUE` repairs it" in line
    assert "configuration" not in obey(*words, "--json").err
    path.write_text("")
    (workplace / "backprop.toml").write_text("framework = 'jax'\n")
    assert "has an error" in obey(*words).err


def test_the_same_key_is_suggested_by_set_and_by_check(obey: Commands, session: Session) -> None:
    path = Path(session.config_path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("min_free_vram = 3000\n")
    for words in (("set", "min_free_vram", "3000"), ("check",)):
        result = obey("config", *words)
        assert "did you mean 'gpu.min_free_vram_mb'?" in result.out + result.err
