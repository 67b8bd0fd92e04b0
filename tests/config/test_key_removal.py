"""Removing a key from a settings file keeps everything else, comments included."""

from __future__ import annotations

from pathlib import Path

import pytest

from backprop_tui.config.write import unset_key
from backprop_tui.domain.errors import ConfigError

REMOVED = (
    ("max_parallel = 2\n", "max_parallel", ""),
    ("# a\nmax_parallel = 2  # b\nframework = 'auto' # c\n", "max_parallel", "# a\n# b\nframework = 'auto' # c\n"),
    ("zzz = '#'\n[gpu]\n# t\nmax_tmp_c = 80\n", "gpu.max_tmp_c", "zzz = '#'\n[gpu]\n# t\n"),
    ("zzz = '#' # d\n[gpu]\n", "zzz", "# d\n[gpu]\n"),
    ("[foo] # tab\na = 1\n[[foo.b]]\nc = [\n  1,\n]\n# end\n[run]\n", "foo", "# tab\n# end\n[run]\n"),
    ('x = """\nmax_parallel = 7\n"""\nmax_parallel = 2\n', "max_parallel", 'x = """\nmax_parallel = 7\n"""\n'),
    ("gpu.probe = 'amd'\nmax_parallel = 2\n", "gpu.probe", "max_parallel = 2\n"),
    ("max_run_minutes = 5h # five\nmax_parallel = 2\n", "max_run_minutes", "# five\nmax_parallel = 2\n"),  # not TOML
    ("[[commands]]\nname = 'a'\ncommand = 'ls'\n[keys]\nf5 = 'view'\n", "commands", "[keys]\nf5 = 'view'\n"),
    ("[keys]\nf5 = 'view'\nf6 = 'x'\n", "keys.f6", "[keys]\nf5 = 'view'\n"),
    ("gpu = {probe = 'amd', max_tmp = 3}\n", "gpu.max_tmp", '[gpu]\nprobe = "amd"\n'),  # written anew
)


@pytest.mark.parametrize(("text", "name", "left"), REMOVED)
def test_a_key_is_removed_and_the_rest_stays(tmp_path: Path, text: str, name: str, left: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    assert unset_key(str(path), name, is_dry=True)
    assert path.read_text() == text
    assert unset_key(str(path), name)
    assert path.read_text() == left


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("max_parallel = 2\n", "max_paralel", r"unknown key 'max_paralel'; did you mean 'max_parallel'"),
        ("zzz1 = 2\n", "zzz", r"did you mean 'zzz1'"),
        ("a = b\nmax_parallel = 2\n", "max_parallel", r"not written: .*:1: not valid TOML"),
        ("gpu = {probe = 'amd'} # a\n", "gpu.probe", r"cannot be removed without losing comments"),
        ("gpu = {probe = 'amd', x = 1}\n", "gpu.probe", r"not written: .*unknown key 'gpu\.x'"),
    ],
)
def test_what_cannot_be_removed_is_refused_and_the_file_stays(
    tmp_path: Path, text: str, name: str, message: str
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        unset_key(str(path), name)
    assert path.read_text() == text


def test_a_key_that_is_not_set_needs_no_change(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    assert not unset_key(str(path), "max_parallel")
    assert not path.exists()


def test_json_of_the_original_is_not_changed(tmp_path: Path) -> None:
    path = tmp_path / ".backprop.json"
    path.write_text('{"maxParallel": 2}')
    with pytest.raises(ConfigError, match="read-only"):
        unset_key(str(path), "max_parallel")
