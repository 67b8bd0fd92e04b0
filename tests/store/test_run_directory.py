"""The files of a run's directory, when they are not what they should be."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from backprop_tui.domain.errors import BrokenRecord, UntrustedRecord
from backprop_tui.domain.requests import EditRequest, NoticeRequest, StopRequest, TimeboxRequest
from backprop_tui.domain.run import Queued
from backprop_tui.domain.slurm import SlurmJob
from backprop_tui.engine.queued_runs import apply_requests
from backprop_tui.store import run_directory
from backprop_tui.store.run_directory import RunDirectory, read_lines
from backprop_tui.store.watched_file import signature_of
from tests.support.runs import Runs


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink(path, path)])
def test_an_environment_that_is_no_file_keeps_no_run_from_ending(runs: Runs, make: Callable[[str], None]) -> None:
    directory = runs.queued("a")
    os.unlink(directory.environment_path)
    make(directory.environment_path)
    directory.delete_environment(directory.read())
    assert not os.path.lexists(directory.environment_path)


def test_lines_that_are_no_requests_are_skipped_with_a_notice(runs: Runs) -> None:
    directory, edit = runs.queued("a"), EditRequest(note="n")
    directory.append_request(edit)
    with open(directory.requests_path, "ab") as file:
        file.write(b'{"request": "fly"}\n\n\xff\r\x0b\n')
    requests, offset = directory.requests_after(0)
    message = 'requests.jsonl: 2 lines that this version does not understand skipped: \'{"request": "fly"}\''
    assert requests == [edit, NoticeRequest(message=message)]
    assert offset == os.path.getsize(directory.requests_path)
    assert apply_requests(directory, directory.read()).note == "n"
    assert [line["message"] for line in read_lines(directory.events_path) if line["event"] == "told"] == [message]


@pytest.fixture
def waiting(runs: Runs) -> RunDirectory:
    return runs.queued("a")


def test_a_claim_is_taken_once_for_each_start_of_a_job(waiting: RunDirectory) -> None:
    assert waiting.claimed(1) is None
    assert waiting.claim(1, {"pid": 7})
    assert not waiting.claim(1, {"pid": 8})
    assert waiting.claimed(1) == {"pid": 7}
    assert waiting.claim(1, {"pid": 9}, start=2)
    assert waiting.claim(2, {"pid": 10})
    assert waiting.claimed(1, start=2) == {"pid": 9}
    assert sorted(os.listdir(waiting.claims)) == ["1", "1.2", "2"], "no draft is left"
    assert os.stat(waiting.claims).st_mode & 0o777 == 0o700


def test_a_claim_survives_a_power_cut(waiting: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    link = os.link

    def note_link(draft: str, path: str) -> None:
        synced.append("link")
        link(draft, path)

    monkeypatch.setattr(os, "fsync", lambda number: synced.append(os.readlink(f"/proc/self/fd/{number}")))
    monkeypatch.setattr(os, "link", note_link)
    assert waiting.claim(1, {})
    assert synced[-2:] == ["link", waiting.claims]
    assert len(synced) > 2, "the draft too"
    synced.clear()
    waiting.announce_job(2)
    assert synced == [waiting.claims]


@pytest.mark.parametrize("is_made", [True, False])
def test_a_link_whose_answer_got_lost_is_recognized(
    waiting: RunDirectory, monkeypatch: pytest.MonkeyPatch, *, is_made: bool
) -> None:
    """On a network file system a link may be made, and the answer be repeated as an error."""
    link = os.link

    def link_and_fail(draft: str, path: str) -> None:
        if is_made:
            link(draft, path)
        raise FileExistsError

    monkeypatch.setattr(os, "link", link_and_fail)
    assert waiting.claim(1, {"pid": 7}) is is_made
    assert os.listdir(waiting.claims) == ["1"] * is_made


def test_a_job_is_announced_before_it_is_known(waiting: RunDirectory) -> None:
    assert not waiting.is_job_announced(3)
    waiting.announce_job(3)
    waiting.announce_job(3)
    assert waiting.is_job_announced(3)
    assert not waiting.is_job_announced(4)
    assert os.listdir(waiting.claims) == ["3.announced"]
    assert os.stat(waiting.claims).st_mode & 0o777 == 0o700


def test_every_file_of_a_guardian_is_a_sign_of_life(runs: Runs) -> None:
    guardian = runs.guarded("a")
    directory = guardian.directory
    with open(directory.resources_path, "ab"):
        pass
    directory.announce_job(1)
    before = directory.signs()
    assert None not in before
    for number, path in enumerate(
        (directory.record_path, directory.live_path, directory.resources_path, directory.claims)
    ):
        os.utime(path, (1, 1))
        now = directory.signs()
        assert [index for index, sign in enumerate(now) if sign != before[index]] == [number]
        before = now
    guardian.dies()


def test_the_files_have_the_names_that_are_documented(waiting: RunDirectory) -> None:
    path = waiting.path
    assert waiting.file("x") == f"{path}/x"
    names = [waiting.lock_path, waiting.script_lock, waiting.log, waiting.record_path, waiting.live_path]
    names += [waiting.events_path, waiting.metrics_path, waiting.resources_path, waiting.requests_path]
    names += [waiting.environment_path, waiting.claims, waiting.listeners_path]
    assert [os.path.relpath(name, path) for name in names] == [
        *("lock", "script.lock", "output.log", "run.json", "live.json", "events.jsonl", "metrics.jsonl"),
        *("resources.jsonl", "requests.jsonl", "environment", "claims", "listeners"),
    ]


def test_a_record_belongs_to_the_directory_with_its_name(runs: Runs) -> None:
    directory = runs.queued("a")
    other = RunDirectory(f"{directory.path}b")
    os.rename(directory.path, other.path)
    with pytest.raises(BrokenRecord, match="id 'a' is not the name of its directory"):
        other.read()
    draft = RunDirectory(f"{directory.path}~1")
    os.rename(other.path, draft.path)
    assert draft.read().id == "a", "a draft has another name"


def test_a_missing_record_is_a_broken_one(waiting: RunDirectory) -> None:
    os.unlink(waiting.record_path)
    with pytest.raises(BrokenRecord, match="missing"):
        waiting.read()


@pytest.mark.parametrize("name", [".", "run.json"])
def test_a_record_that_others_may_write_is_not_used(waiting: RunDirectory, name: str) -> None:
    path = os.path.normpath(waiting.file(name))
    os.chmod(path, 0o777)
    with pytest.raises(UntrustedRecord) as refusal:
        waiting.read()
    assert "so it is not used" in str(refusal.value)
    assert refusal.value.hint == "BACKPROP_ALLOW_SHARED=1 uses it all the same"


def test_the_signature_of_what_this_object_wrote_is_known(waiting: RunDirectory) -> None:
    assert RunDirectory(waiting.path).written is None
    waiting.write(waiting.read(), durable=False)
    assert waiting.written is not None
    assert waiting.written == signature_of(waiting.record_path)


@pytest.mark.parametrize("durable", [True, False])
def test_a_record_is_synced_only_if_it_must_last(
    waiting: RunDirectory, monkeypatch: pytest.MonkeyPatch, *, durable: bool
) -> None:
    run, synced = waiting.read(), list[int]()
    monkeypatch.setattr(os, "fsync", synced.append)
    waiting.write(run, durable=durable)
    assert bool(synced) is durable


def test_only_what_must_last_is_synced(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    guardian = runs.guarded("a", spec={"env": (("TOKEN", None),)})
    directory, synced = guardian.directory, list[int]()
    monkeypatch.setattr(os, "fsync", synced.append)
    directory.write_live(guardian.live)
    directory.write_environment({"TOKEN": "t", "A": "b"}, folder_is_synced_later=True)
    assert len(synced) == 1, "the file alone"
    directory.delete_environment(guardian.run)
    assert len(synced) == 1
    directory.write_environment({"TOKEN": "t"})
    assert len(synced) == 3, "the file and its directory"
    directory.restore_record(guardian.run)
    assert len(synced) == 5
    guardian.dies()


def test_a_line_that_has_not_been_written_to_its_end_waits(
    waiting: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting.append_request(EditRequest(note="1"))
    size = os.path.getsize(waiting.requests_path)
    waiting.append_request(EditRequest(note="2"))
    monkeypatch.setattr(run_directory, "MAX_REQUEST_BYTES", size + 5)
    assert waiting.requests_after(0) == ([EditRequest(note="1")], size)
    assert waiting.requests_after(size) == ([EditRequest(note="2")], 2 * size)


def test_bytes_that_are_no_text_are_shown_in_the_notice(waiting: RunDirectory) -> None:
    with open(waiting.requests_path, "wb") as file:
        file.write(b"\xff\n")
    (notice,), _ = waiting.requests_after(0)
    assert isinstance(notice, NoticeRequest)
    assert notice.message.endswith("1 line that this version does not understand skipped: '\\\\xff'")


def test_a_damaged_record_is_kept_beside_the_one_that_is_written_again(waiting: RunDirectory) -> None:
    run = waiting.read()
    for content in ("garbage", "more"):
        with open(waiting.record_path, "w", encoding="ascii") as file:
            file.write(content)
        waiting.restore_record(run)
        assert waiting.read() == run
    os.unlink(waiting.record_path)
    waiting.restore_record(run)
    kept = sorted(name for name in os.listdir(waiting.path) if "damaged" in name)
    assert kept == ["run.json.damaged", "run.json.damaged-2"]


def test_a_live_record_that_cannot_be_read_is_none(runs: Runs) -> None:
    guardian = runs.guarded("a")
    directory, live = guardian.directory, guardian.live
    assert directory.read_live() == live
    for content in ("garbage", '{"attempt": "x"}', "[]"):
        with open(directory.live_path, "w", encoding="ascii") as file:
            file.write(content)
        assert directory.read_live() is None
    os.unlink(directory.live_path)
    assert directory.read_live() is None
    directory.note_problem("p")
    assert directory.read_live() is None, "no record is made for a problem"
    directory.write_live(live)
    directory.note_problem("p")
    assert directory.read_live() == replace(live, problem="p")
    before = signature_of(directory.live_path)
    directory.note_problem("p")
    assert signature_of(directory.live_path) == before, "it is known already"
    guardian.dies()


def test_what_is_shown_of_a_run_that_waits_is_nothing_of_an_old_live_record(runs: Runs) -> None:
    guardian = runs.guarded("a")
    guardian.says(step=7)
    assert guardian.directory.shown()["step"] == 7
    guardian.edits(replace(guardian.run, attempts=(), state=Queued(since=1.0)))
    assert guardian.directory.shown([{"check": "ram", "message": "m"}])["hold_reasons"] == [
        {"check": "ram", "message": "m"}
    ]
    assert guardian.directory.shown()["step"] is None
    guardian.dies()


def test_an_event_has_its_time_kind_message_and_values(waiting: RunDirectory) -> None:
    waiting.append_event("k", "m", time=0.0, pid=5)
    assert read_lines(waiting.events_path)[-1] == {
        "time": "1970-01-01T00:00:00.000Z",
        "event": "k",
        "message": "m",
        "pid": 5,
    }


def test_requests_are_read_once_and_whole(waiting: RunDirectory) -> None:
    assert waiting.requests_after(7) == ([], 7)
    first, second = EditRequest(note="1"), EditRequest(note="2")
    waiting.append_request(first)
    requests, offset = waiting.requests_after(0)
    assert requests == [first]
    assert waiting.requests_after(offset) == ([], offset)
    with open(waiting.requests_path, "ab") as file:
        file.write(b'{"request": "ed')
    assert waiting.requests_after(offset) == ([], offset), "the rest of the line may follow"
    waiting.append_request(second)  # begins a line of its own
    requests, end = waiting.requests_after(offset)
    assert requests[0] == second
    assert isinstance(requests[1], NoticeRequest)
    assert end == os.path.getsize(waiting.requests_path)
    os.truncate(waiting.requests_path, offset)
    assert waiting.requests_after(end) == ([], end), "what was carried out is not carried out again"


def test_a_line_without_an_end_does_not_keep_the_next_ones_from_being_read(
    waiting: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_directory, "MAX_REQUEST_BYTES", 100)
    with open(waiting.requests_path, "wb") as file:
        file.write(b"x" * 250)
    offset, notices = 0, 0
    for _ in range(2):
        requests, offset = waiting.requests_after(offset)
        notices += sum(isinstance(request, NoticeRequest) for request in requests)
    assert (offset, notices) == (200, 2)


def test_the_environment_is_kept_until_the_end_and_secrets_beyond_it(runs: Runs) -> None:
    directory = runs.queued("a", spec={"env": (("TOKEN", None), ("PLAIN", "x"), ("LOST", None))})
    run = directory.read()
    directory.write_environment({"TOKEN": "t", "PLAIN": "x", "HOME": "\udcff"})
    assert directory.read_environment() == {"TOKEN": "t", "PLAIN": "x", "HOME": "\udcff"}
    assert directory.given_secrets(run) == {"TOKEN": "t"}
    directory.delete_environment(run)
    assert directory.read_environment() == {"TOKEN": "t"}
    directory.delete_environment(replace(run, spec=replace(run.spec, env=())))
    assert not os.path.lexists(directory.environment_path)
    assert directory.given_secrets(run) == {}
    directory.delete_environment(run)
    with pytest.raises(BrokenRecord, match="the captured environment is missing"):
        directory.read_environment()


def test_secret_words_of_a_command_are_in_the_file_of_the_environment_alone(runs: Runs) -> None:
    directory = runs.queued("a", spec={"command": ("train", "--password", "hunter2")})
    assert b"hunter2" not in Path(directory.record_path).read_bytes()
    run = directory.read()
    assert run.spec.command == ("train", "--password", "***")
    assert directory.true_command(run.spec.command) == ("train", "--password", "hunter2")
    assert directory.true_command(["other"]) == ("other",)
    assert "hunter2" not in str(directory.read_environment())
    directory.write_environment({"A": "b"})
    directory.write(replace(run, spec=replace(run.spec, command=("train", "--api-key", "k3y"))), durable=False)
    assert directory.read_environment() == {"A": "b"}
    assert directory.hidden_words().keys() == {"--password", "--api-key"}
    directory.write(run, durable=False)
    directory.write_environment({"A": "b"})
    assert directory.hidden_words(), "another environment keeps them"
    directory.delete_environment(run)
    assert directory.true_command(run.spec.command) == ("train", "--password", "hunter2")
    os.unlink(directory.environment_path)
    assert directory.hidden_words() == {}
    with pytest.raises(BrokenRecord, match="is missing"):
        directory.true_command(run.spec.command)
    directory.write(replace(run, spec=replace(run.spec, command=("train", "--password", "new"))), durable=False)
    assert directory.true_command(run.spec.command) == ("train", "--password", "new")


def test_hidden_words_of_another_shape_are_left_out(waiting: RunDirectory) -> None:
    words = json.dumps({"--password": ["x"], "--token": 5})
    with open(waiting.environment_path, "w", encoding="ascii") as file:
        json.dump({"BACKPROP_HIDDEN_WORDS": words}, file)
    assert waiting.hidden_words() == {"--password": ["x"]}


def test_an_environment_that_cannot_be_removed_is_an_error(
    waiting: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    run = waiting.read()
    monkeypatch.setattr(run_directory, "set_aside", lambda _path: False)
    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", fail)
        with pytest.raises(OSError, match=os.strerror(errno.EROFS)):
            waiting.delete_environment(run)


@pytest.mark.parametrize(
    ("content", "identity"),
    [(b"2 77 5000\n", (2, 77, 5000)), (b"", None), (b"2 77", None), (b"2 77 5000 1", None), (b"a b c", None)],
)
def test_the_script_is_named_completely_or_not_at_all(
    waiting: RunDirectory, content: bytes, identity: tuple[int, int, int] | None
) -> None:
    assert waiting.script_identity() is None
    with open(waiting.script_lock, "wb") as file:
        file.write(content)
    assert waiting.script_identity() == identity


def test_a_run_that_waits_in_slurm_is_read_with_the_edits_that_were_requested(runs: Runs) -> None:
    job = SlurmJob(host=runs.home.host, attempt=1, number=1, submitted_at=1.0, id="1")
    directory = runs.queued("a", spec={"launcher": "slurm"}, job=job)
    directory.append_request(EditRequest(note="edited"))
    directory.append_request(TimeboxRequest(max_run_seconds=77.0))
    directory.append_request(StopRequest(by="you", reason="r"))
    run = directory.read()
    assert (run.note, run.spec.max_run_seconds) == ("edited", 77.0)
    local = runs.queued("b")
    local.append_request(EditRequest(note="edited"))
    assert local.read().note is None, "a local run is edited under its lock"


def test_lines_of_a_missing_file_are_none(waiting: RunDirectory) -> None:
    assert read_lines(waiting.metrics_path) == []
