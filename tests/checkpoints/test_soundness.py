"""Checkpoints left by an interrupted write, a full disk or a killed save are not sound."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backprop_tui.checkpoints.choice import choose
from backprop_tui.checkpoints.soundness import (
    INCOMPLETE_SENTINEL,
    Sound,
    Unsound,
    judge,
    judged_newest_first,
    size_and_change_time,
)
from backprop_tui.domain.run import Checkpoint


def saved_as(path: str, size_bytes: int | None = None) -> Checkpoint:
    return Checkpoint(path=path, step=None, saved_at=0.0, size_bytes=size_bytes)


def _zip_bytes() -> bytes:
    """As torch.save lays it out: stored, not deflated."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"step": 3}))
        archive.writestr("archive/data/0", bytes(400))
    return written.getvalue()


def _safetensors_bytes(tensors_bytes: int = 64) -> bytes:
    offsets = {"a": [0, 16], "b": [16, tensors_bytes]}
    tensors = {name: {"dtype": "F32", "shape": [1], "data_offsets": place} for name, place in offsets.items()}
    header = json.dumps({"__metadata__": {"format": "pt"}, **tensors}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(tensors_bytes)


def _npz_bytes() -> bytes:
    written = io.BytesIO()
    np.savez(written, weights=np.arange(100.0), step=3)
    return written.getvalue()


ZIP, SAFETENSORS = _zip_bytes(), _safetensors_bytes()
# Whole files of formats that show by themselves whether they are whole.
PROVABLE = {"model.pt": ZIP, "last.ckpt": ZIP, "model.safetensors": SAFETENSORS, "state.npz": _npz_bytes()}


def newest_intact(checkpoints: Sequence[Checkpoint]) -> Checkpoint | None:
    return choose(checkpoints).checkpoint


def _write(path: Path, content: bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return str(path)


def _reason(verdict: Sound | Unsound) -> str:
    assert isinstance(verdict, Unsound)
    return verdict.reason


@pytest.mark.parametrize("name", PROVABLE)
def test_a_complete_file_is_sound(tmp_path: Path, name: str) -> None:
    verdict = judge(_write(tmp_path / name, PROVABLE[name]))
    assert isinstance(verdict, Sound)
    assert verdict


@pytest.mark.parametrize("name", PROVABLE)
def test_a_file_cut_anywhere_is_unsound(tmp_path: Path, name: str) -> None:
    content = PROVABLE[name]
    for length in range(2, len(content)):
        assert not judge(_write(tmp_path / name, content[:length])), length


@pytest.mark.parametrize("name", ["model.pt", "state.npz", "model.safetensors", "notes.txt", "state.json"])
def test_an_empty_file_is_unsound(tmp_path: Path, name: str) -> None:
    assert _reason(judge(_write(tmp_path / name, b""))) == "is empty"


def test_a_missing_file_is_unsound(tmp_path: Path) -> None:
    assert _reason(judge(str(tmp_path / "gone.pt"))) == "does not exist"
    assert "cannot be read" in _reason(judge(_write(tmp_path / "file", b"x") + "/inner.pt"))


@pytest.mark.parametrize("path", ["a\0b.pt", "\ud800.pt", ""])
def test_an_invalid_path_is_unsound(path: str) -> None:
    assert not judge(path)
    assert size_and_change_time(path)[0] is None


def test_a_fifo_is_unsound_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.pt")
    assert _reason(judge(str(tmp_path / "model.pt"))) == "is neither a file nor a directory"
    _write(tmp_path / "state.json", b"{}")
    assert judge(str(tmp_path))


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    assert "cannot be read" in _reason(judge(str(tmp_path / "loop")))


@pytest.mark.parametrize("name", ["state.npz", "model.keras"])
def test_a_file_that_must_be_a_zip_and_is_not_is_unsound(tmp_path: Path, name: str) -> None:
    assert "not a zip" in _reason(judge(_write(tmp_path / name, b"something else")))


def test_an_empty_zip_is_unsound(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    zipfile.ZipFile(path, "w").close()
    assert _reason(judge(str(path))) == "is an empty zip"


def test_a_zip_whose_parts_reach_past_its_end_is_unsound(tmp_path: Path) -> None:
    place = ZIP.index(b"PK\x01\x02") + 20  # the compressed size in the central directory
    damaged = ZIP[:place] + (1 << 20).to_bytes(4, "little") + ZIP[place + 4 :]
    assert "past its end" in _reason(judge(_write(tmp_path / "model.pt", damaged)))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff" * 8 + b"{}", "header is longer than the file"),
        (b"short", "header is longer than the file"),
        ((2).to_bytes(8, "little") + b"{]", "not JSON"),
        ((9_000).to_bytes(8, "little") + b"[" * 9_000, "not JSON"),
        ((2).to_bytes(8, "little") + b"[]", "not a JSON object"),
        ((8).to_bytes(8, "little") + b'{"a": 1}', "has no offsets for 'a'"),
        (SAFETENSORS + b"more", "holds 68 bytes of tensors, its header declares 64"),
    ],
)
def test_a_damaged_safetensors_file_is_explained(tmp_path: Path, content: bytes, reason: str) -> None:
    assert reason in _reason(judge(_write(tmp_path / "model.safetensors", content)))


def test_a_safetensors_header_beyond_the_limit_of_the_format_is_not_read(tmp_path: Path) -> None:
    path = _write(tmp_path / "model.safetensors", (100_000_001).to_bytes(8, "little"))
    os.truncate(path, 100_000_100)  # sparse: it takes no disk
    assert "header is longer than the file" in _reason(judge(path))


@pytest.mark.parametrize("name", ["model.pt", "model.pth", "last.ckpt", "state.pkl"])
def test_a_pickle_is_recognised_by_its_first_byte(tmp_path: Path, name: str) -> None:
    assert judge(_write(tmp_path / name, pickle.dumps([1, 2])))
    assert "begins with zeros" in _reason(judge(_write(tmp_path / name, bytes(100))))


def test_an_unknown_format_is_judged_by_its_size_alone(tmp_path: Path) -> None:
    path = _write(tmp_path / "model.ckpt", b"step 5, weights 1 2 3")
    assert judge(path)
    assert judge(path, recorded_size_bytes=21)
    assert _reason(judge(path, recorded_size_bytes=22)) == "was 22 bytes when it was announced and is 21 now"


def test_a_file_that_grew_since_it_was_announced_is_sound(tmp_path: Path) -> None:
    assert judge(_write(tmp_path / "weights.state", b"and more"), recorded_size_bytes=5)


@pytest.mark.parametrize(
    ("name", "content"),
    # The id is the file name alone: a zip contains its creation time, and test ids must be the same in all workers.
    [
        pytest.param(name, content, id=name)
        for name, content in (*PROVABLE.items(), ("s.pkl", pickle.dumps([1, 2])), ("s.json", b'{"step": 9}\n'))
    ],
)
def test_a_file_with_an_end_mark_may_be_smaller_than_recorded(tmp_path: Path, name: str, content: bytes) -> None:
    assert judge(_write(tmp_path / name, content), recorded_size_bytes=len(content) + 1)


@pytest.mark.parametrize(("name", "content"), [("s.pkl", pickle.dumps([1, 2])), ("s.json", b'{"step": [9, 8]}')])
def test_a_text_or_pickle_that_lost_its_end_is_unsound(tmp_path: Path, name: str, content: bytes) -> None:
    assert not judge(_write(tmp_path / name, content[:-3]), recorded_size_bytes=len(content))


def _hugging_face(folder: Path) -> str:
    _write(folder / "model.safetensors", SAFETENSORS)
    _write(folder / "optimizer.pt", ZIP)
    _write(folder / "trainer_state.json", b'{"global_step": 10}')
    _write(folder / "empty.txt", b"")
    return str(folder)


def test_a_directory_of_complete_files_is_sound(tmp_path: Path) -> None:
    path = _hugging_face(tmp_path / "checkpoint-10")
    assert judge(path, recorded_size_bytes=size_and_change_time(path)[0])


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (
            lambda path: _write(path / INCOMPLETE_SENTINEL, b"x"),
            "is incomplete: it contains checkpoint-is-incomplete.txt",
        ),
        (lambda path: _cut(path / "model.safetensors"), "is damaged: model.safetensors holds 63 bytes"),
        (lambda path: _cut(path / "optimizer.pt"), "is damaged: optimizer.pt is cut short"),
        (lambda path: _write(path / "inner/part.safetensors", b""), "is damaged: inner/part.safetensors is empty"),
        (lambda path: (path / "trainer_state.json").unlink(), "bytes when it was announced"),
        (lambda path: (path / "dangling").symlink_to("nowhere"), "cannot be read"),
    ],
)
def test_a_directory_with_one_bad_file_is_unsound(tmp_path: Path, harm: Callable[[Path], object], reason: str) -> None:
    path = _hugging_face(tmp_path / "checkpoint-10")
    size_bytes = size_and_change_time(path)[0]
    harm(Path(path))
    assert reason in _reason(judge(path, recorded_size_bytes=size_bytes))


def test_an_empty_directory_is_unsound(tmp_path: Path) -> None:
    (tmp_path / "checkpoint-1" / "inner").mkdir(parents=True)
    assert _reason(judge(str(tmp_path / "checkpoint-1"))) == "is empty"


def test_the_stored_size_is_that_of_all_files(tmp_path: Path) -> None:
    _write(tmp_path / "run/a", b"123")
    _write(tmp_path / "run/inner/b", b"4567")
    assert size_and_change_time(str(tmp_path / "run"))[0] == 7
    assert size_and_change_time(str(tmp_path / "run/a"))[0] == 3
    assert size_and_change_time(str(tmp_path / "gone"))[0] is None


def test_the_newest_is_chosen_if_it_is_sound(tmp_path: Path) -> None:
    saved = [saved_as(_write(tmp_path / f"{step}.pt", ZIP)) for step in (1, 2)]
    assert newest_intact(saved) is saved[-1]


def test_the_previous_one_is_chosen_if_the_newest_is_cut_short(tmp_path: Path) -> None:
    saved = [saved_as(_write(tmp_path / f"{step}.pt", ZIP)) for step in (1, 2, 3)]
    _cut(tmp_path / "3.pt")
    assert newest_intact(saved) is saved[1]
    verdicts = list(judged_newest_first(saved))
    assert [(checkpoint.path[-4:], bool(verdict)) for checkpoint, verdict in verdicts] == [
        ("3.pt", False),
        ("2.pt", True),
        ("1.pt", True),
    ]


def test_none_is_chosen_if_none_is_sound(tmp_path: Path) -> None:
    assert newest_intact([]) is None
    assert newest_intact([saved_as(str(tmp_path / "gone.pt"))]) is None


def test_a_file_saved_again_and_again_is_judged_by_its_newest_record(tmp_path: Path) -> None:
    path = _write(tmp_path / "last.bin", b"x" * 15)
    # 15 bytes are more than the older record has, but the rest of an interrupted save of 20.
    assert newest_intact([saved_as(path, 10), saved_as(path, 20)]) is None
    newest = saved_as(path, 15)
    assert newest_intact([saved_as(path, 20), newest]) is newest


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # each example writes the file anew
@given(content=st.sampled_from([ZIP, SAFETENSORS]), place=st.integers(0, 1 << 16), garbage=st.binary(max_size=12))
def test_no_damage_makes_judging_raise(tmp_path: Path, content: bytes, place: int, garbage: bytes) -> None:
    place %= len(content)
    for name in ("model.pt", "model.safetensors"):
        path = _write(tmp_path / name, content[:place] + garbage + content[place + len(garbage) :])
        assert isinstance(judge(path), Sound | Unsound)
