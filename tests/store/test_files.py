"""Appending lines to files."""

from __future__ import annotations

from pathlib import Path

from backprop_tui.store.files import append_line


def test_a_line_after_one_cut_by_a_full_disk_starts_on_a_new_line(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    append_line(str(path), b"one")
    with path.open("ab") as file:
        file.write(b'{"torn')
    append_line(str(path), b"two")
    assert path.read_bytes().splitlines() == [b"one", b'{"torn', b"two"]
