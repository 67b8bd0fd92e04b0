"""Written settings are read again, and the rest of the file is kept."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import backprop_tui
from backprop_tui.config.files import read_file, read_valid
from backprop_tui.config.keys import KEYS
from backprop_tui.config.kinds import WrongValue
from backprop_tui.config.write import example, init, set_key, validate_assignment
from backprop_tui.domain.errors import ConfigError, StorageFailed

EXAMPLE = Path(backprop_tui.__file__).parent.parent / "config.example.toml"

words = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["none", "auto", "true", "off", "USR1@60", "INT", "80%", "a*.pt,b", 'say "it"', "it's", "# no", "[x]"]
    ),
    st.floats(min_value=0, max_value=1e6).map(repr),
    st.integers(min_value=0, max_value=10**6).map(str),
)
# Ways in which people write the same tables.
LAYOUTS = (
    "# mine\ngpu.max_temp_c = 80 # hot\nrun.retries = 1\n",
    "# mine\n['gpu'] # cards\nprobe = 'amd'\n",
    "# mine\n[notify] # ends\ncommand = '''\nbell = 1\n[gpu]\n'''\n",
    "[run] # mine\ncheckpoint_globs = [\n  'a',\n  'b',\n]\nretries = 1 # again\n",
)
assignments = st.lists(st.tuples(st.sampled_from(sorted(KEYS)), words), max_size=6)


def values_in(path: Path) -> dict[str, object]:
    return {name: setting.value for name, setting in read_file(str(path)).items()}


def test_the_shipped_example_is_up_to_date() -> None:
    assert EXAMPLE.read_text() == example()


def test_the_example_has_every_key_with_its_default(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    init(str(path))
    defaults = {name: key.default for name, key in KEYS.items()}
    del defaults["commands"]  # an empty list could not be extended by a table
    assert values_in(path) == defaults


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=assignments, begun_with_example=st.booleans())
def test_a_set_key_is_read_again_and_nothing_else_changes(
    tmp_path: Path,
    steps: list[tuple[str, str]],
    begun_with_example: bool,  # noqa: FBT001 - drawn by hypothesis
) -> None:
    path = tmp_path / "config.toml"
    path.unlink(missing_ok=True)
    if begun_with_example:
        init(str(path))
    expected = values_in(path)
    for name, word in steps:
        try:
            expected[name] = KEYS[name].kind.read(word)
        except WrongValue:
            with pytest.raises(ConfigError):
                set_key(str(path), name, word)
        else:
            assert set_key(str(path), name, word) == expected[name]
        assert values_in(path) == expected
    if begun_with_example:
        comments = [line for line in example().splitlines() if line.startswith("#")]
        assert [line for line in path.read_text().splitlines() if line.startswith("#")] == comments


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(layout=st.sampled_from(LAYOUTS), name=st.sampled_from(sorted(KEYS)), word=words)
def test_other_keys_and_comments_are_kept_in_any_layout(tmp_path: Path, layout: str, name: str, word: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(layout)
    before = values_in(path)
    try:
        value = set_key(str(path), name, word)
    except ConfigError:
        assert path.read_text() == layout
        return
    assert values_in(path) == before | {name: value}
    for comment in ("# mine", "# hot", "# cards", "# ends", "# again"):
        assert path.read_text().count(comment) >= layout.count(comment)


@pytest.mark.parametrize(
    ("layout", "name", "word", "changed"),
    [
        (0, "gpu.probe", "amd", 'gpu.probe = "amd"\ngpu.max_temp_c = 80 # hot'),
        (1, "gpu.max_temp_c", "70", "['gpu'] # cards\nmax_temp_c = 70\nprobe = 'amd'"),
        (2, "notify.bell", "off", "[notify] # ends\nbell = false\ncommand = '''\nbell = 1"),
        (3, "run.checkpoint_globs", "c", '[run] # mine\ncheckpoint_globs = ["c"]\nretries = 1 # again'),
    ],
)
def test_a_key_is_set_in_the_way_the_file_is_written(
    tmp_path: Path, layout: int, name: str, word: str, changed: str
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(LAYOUTS[layout])
    set_key(str(path), name, word)
    assert changed in path.read_text()


def test_a_file_that_cannot_be_changed_without_losing_comments_is_left_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("# mine\ngpu = {max_temp_c = 80}\n")
    for attempt in (set_key, validate_assignment):
        with pytest.raises(ConfigError, match=r"gpu\.max_temp_c cannot be set without losing comments"):
            attempt(str(path), "gpu.max_temp_c", "70")
    assert path.read_text() == "# mine\ngpu = {max_temp_c = 80}\n"


def test_a_file_without_comments_is_rewritten(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("gpu = {max_temp_c = 80, probe = 'amd'}\n")
    set_key(str(path), "gpu.max_temp_c", "70")
    assert values_in(path) == {"gpu.max_temp_c": 70.0, "gpu.probe": "amd"}


def test_comments_and_order_of_the_users_file_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("# mine\nmax_parallel = 2  # two cards\n\n[gpu] # cards\nprobe = 'nvml' # quick\n")
    set_key(str(path), "max_parallel", "4")
    set_key(str(path), "gpu.probe", "amd")
    set_key(str(path), "gpu.max_temp_c", "80")
    set_key(str(path), "framework", "pytorch")
    set_key(str(path), "notify.bell", "off")
    assert path.read_text() == (
        '# mine\nmax_parallel = 4  # two cards\n\nframework = "pytorch"\n\n[gpu] # cards\nmax_temp_c = 80\n'
        'probe = "amd" # quick\n\n[notify]\nbell = false\n'
    )


def test_a_value_over_several_lines_is_replaced_too(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[run]\ncheckpoint_globs = [\n  'a',\n  'b',\n]\nretries = 1\n")
    set_key(str(path), "run.checkpoint_globs", "c")
    assert values_in(path) == {"run.checkpoint_globs": ("c",), "run.retries": 1}


def test_the_file_is_private_and_no_temporary_file_is_left(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config.toml"
    set_key(str(path), "max_parallel", "3")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["config.toml"]


def test_a_link_to_the_file_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "dotfiles.toml", tmp_path / "config.toml"
    real.write_text("max_parallel = 2\n")
    link.symlink_to(real)
    set_key(str(link), "max_parallel", "3")
    assert link.is_symlink()
    assert real.read_text() == "max_parallel = 3\n"


def test_an_existing_file_is_not_overwritten_by_init(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("max_parallel = 2\n")
    with pytest.raises(ConfigError, match="already exists"):
        init(str(path))
    assert path.read_text() == "max_parallel = 2\n"


ALL_KEYS = "`backprop-tui config show` lists all keys"


@pytest.mark.parametrize(
    ("name", "word", "message"),
    [
        ("max_paralell", "2", "config set: unknown key 'max_paralell'; did you mean 'max_parallel'?"),
        ("theme", "dark", "config set: unknown key 'theme'; did you mean 'dashboard.theme'?"),
        ("retrys", "2", "config set: unknown key 'retrys'; did you mean 'run.retries'?"),
        ("timebox", "2", f"config set: unknown key 'timebox'; perhaps max_run_minutes; {ALL_KEYS}"),
        ("load", "2", f"config set: unknown key 'load'; perhaps governor.max_load_per_core; {ALL_KEYS}"),
        ("nosuch", "2", f"config set: unknown key 'nosuch'; {ALL_KEYS}"),
        ("max_parallel", "two", "config set: max_parallel = 'two': must be a number, or \"auto\"; the value in force:"),
        ("run.python", "\udcff", "config set: run.python = '\\udcff': must be UTF-8 text; the value in force:"),
    ],
)
def test_invalid_values_are_rejected_and_the_file_is_unchanged(
    tmp_path: Path, name: str, word: str, message: str
) -> None:
    path = tmp_path / "config.toml"
    path.write_text("max_parallel = 2\n")
    for attempt in (set_key, validate_assignment):
        with pytest.raises(ConfigError) as caught:
            attempt(str(path), name, word)
        assert str(caught.value).removesuffix(f" backprop-tui config show {name}") == message
    assert path.read_text() == "max_parallel = 2\n"


WRONG = (
    ("max_parallel = 'two' # cards\n", "max_parallel = 4 # cards\n"),
    ("max_parallel = two # cards\n", "max_parallel = 4 # cards\n"),  # not TOML
    ("[run]\nretries = 1\n\n[gpu]\nprobe = 'amd\n", '[run]\nretries = 1\n\n[gpu]\nprobe = "amd"\n'),
    ("max_parallel = [\n  2,\n]\nframework = 'jax'\n", "max_parallel = 4\nframework = 'jax'\n"),
)


@pytest.mark.parametrize(("text", "repaired"), WRONG)
def test_a_wrong_value_is_repaired_by_setting_its_key(tmp_path: Path, text: str, repaired: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    name, word = ("gpu.probe", "amd") if "probe" in text else ("max_parallel", "4")
    validate_assignment(str(path), name, word)
    assert path.read_text() == text
    set_key(str(path), name, word)
    assert path.read_text() == repaired


def test_other_wrong_keys_stay_and_are_still_reported(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("max_paralel = 2\n[gpu]\nmax_temp_c = 'hot'\n")
    set_key(str(path), "framework", "pytorch")
    assert path.read_text() == "max_paralel = 2\nframework = \"pytorch\"\n\n[gpu]\nmax_temp_c = 'hot'\n"
    settings, errors = read_valid(str(path))
    assert set(settings) == {"framework"}
    assert [error.key for error in errors] == [None, "gpu.max_temp_c"]


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        (
            "max_run_minutes = 5h\n",
            "max_parallel",
            r"config\.toml:1: .*`backprop-tui .*config set max_run_minutes VALUE`",
        ),
        ("framework = 'auto'\nretries = one\n", "max_parallel", r"not written: .*config\.toml:2: not valid TOML: "),
        ("max_parallel = 2\nmax_parallel = 3\n", "max_parallel", r"not written: .*config\.toml:2: .*defined twice"),
        ("x = '''\nmax_parallel = 2\n", "max_parallel", r"not written: .*config\.toml:2: not valid TOML: "),
        ("gpu = 5\n", "gpu.max_temp_c", r"not written: .*config\.toml:1: gpu is a table"),
        ("gpu = {probe = 'amd', max_temp = 3}\n", "gpu.max_temp_c", r"not written: .*: unknown key 'gpu\.max_temp'"),
        pytest.param(f"x = {'9' * 5000}\n", "max_parallel", r"not written: .*: not valid TOML: ", id="digits"),
    ],
)
def test_what_cannot_be_edited_is_not_written_and_the_line_is_named(
    tmp_path: Path, text: str, name: str, message: str
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    for attempt in (set_key, validate_assignment):
        with pytest.raises(ConfigError, match=message):
            attempt(str(path), name, "70")
    assert path.read_text() == text


def test_json_of_the_original_is_only_read(tmp_path: Path) -> None:
    path = tmp_path / ".backprop.json"
    path.write_text('{"maxParallel": 2}')
    with pytest.raises(ConfigError, match="read-only"):
        set_key(str(path), "framework", "auto")
    assert path.read_text() == '{"maxParallel": 2}'


def test_a_path_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "config.toml"
    with pytest.raises(ConfigError, match="cannot be") as caught:
        set_key(str(path), "framework", "auto")
    assert str(path) in str(caught.value)


def test_a_full_disk_is_not_a_config_error_and_the_file_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "config.toml"
    path.write_text("max_parallel = 2\n")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFailed, match="No space left on device") as caught:
        set_key(str(path), "max_parallel", "3")
    assert caught.value.exit_code == 74
    assert path.read_text() == "max_parallel = 2\n"
    assert os.listdir(tmp_path) == ["config.toml"]
