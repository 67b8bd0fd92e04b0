"""What the digest shows of an absence, from records made by the test."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from backprop_tui.domain.formatting import iso
from backprop_tui.domain.run import Cause, Checkpoint, SharedDirectory
from backprop_tui.domain.smoothed_curve import Extreme
from backprop_tui.domain.status import Status
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.tui.absence import AbsenceDigest, DigestRun
from backprop_tui.tui.glyphs import ASCII, UNICODE
from backprop_tui.tui.lines import Token, text_of
from backprop_tui.tui.panes.card import card_of
from backprop_tui.tui.panes.digest import DigestView, digest_view, draw_digest, shown_failures
from tests.tui.snapshots import NOW, ended, queued, running, snapshot

OOM = Cause(
    kind="cuda_oom",
    evidence="torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of "
    "79.15 GiB of which 1.12 GiB is free.",
    advice="use a smaller batch",
)
MINUTE, HOUR = 60.0, 3600.0


def event(kind: str, *, ago: float, **figures: Any) -> dict[str, Any]:
    return {"time": iso(NOW.wall - ago), "event": kind, "message": "", **figures}


def digest(*runs: DigestRun | KnownRun, away: float = 6 * HOUR + 12 * MINUTE, **fields: Any) -> DigestView:
    recalled = tuple(run if isinstance(run, DigestRun) else DigestRun(run=run) for run in runs)
    since = NOW.wall - away
    known: dict[str, Any] = {"since": since, "until": NOW.wall, "back_at": NOW.wall, "runs": recalled}
    return digest_view(AbsenceDigest(**(known | fields)), snapshot(*(entry.run for entry in recalled)))


def texts(view: DigestView) -> dict[str, str]:
    """Subject and story of each row by its state."""
    return {row.state: f"{row.subject}: {row.story}" for row in (*view.failures, *view.rows)}


def test_a_failure_comes_with_its_cause_its_advice_and_what_is_saved() -> None:
    saved = (Checkpoint(path="/c/2.pt", step=2, saved_at=NOW.wall - 100),)
    (row,) = digest(ended("vit", Status.FAILED, cause=OOM, checkpoints=saved)).failures
    assert (row.state, row.subject) == ("failed", "vit")
    assert row.story == "CUDA out of memory: requested 2.50 GiB, 1.12 GiB free"
    assert row.note == "advice: use a smaller batch; checkpoint at step 2"


def test_runs_that_failed_alike_share_a_row() -> None:
    saved = (Checkpoint(path="/c/2.pt", step=2, saved_at=NOW.wall - 100),)
    loads = Cause(kind="python_error", summary="ValueError: shape 3", advice="fix train.py line 7")
    alike = [ended(f"g-{number}", Status.FAILED, cause=loads, group="grid", checkpoints=saved) for number in range(5)]
    other = Cause(kind="python_error", summary="ValueError: shape 4", advice="fix train.py line 7")
    view = digest(*alike, ended("g-5", Status.FAILED, cause=other, group="grid"), ended("x", Status.FAILED, cause=OOM))
    grid, single = view.failures
    assert (grid.subject, grid.story) == ("6 runs of grid", "ValueError: shape 3 (g-0)")
    assert grid.note == "advice: fix train.py line 7; 5 of them have a checkpoint"
    assert (single.subject, single.advice) == ("x", "use a smaller batch")


def test_runs_of_no_group_that_failed_alike_are_named() -> None:
    full = {gpu: Cause(kind="cuda_oom", summary=f"CUDA out of memory on GPU {gpu}") for gpu in (4, 5)}
    (row,) = digest(*(ended(f"r{gpu}", Status.FAILED, cause=cause) for gpu, cause in full.items())).failures
    assert (row.subject, row.story) == ("2 runs: r4, r5", "CUDA out of memory on GPU 4 (r4)")


def test_advice_for_several_causes_is_given_once() -> None:
    texts = ("CUDA out of memory", "CUDA out of memory in backward", "CUDA out of memory at the first step")
    causes = [Cause(kind="cuda_oom", summary=text, advice="use a smaller batch") for text in texts]
    other = Cause(kind="python_error", summary="KeyError: x", advice="fix train.py line 7")
    saved = (Checkpoint(path="/c/2.pt", step=2, saved_at=NOW.wall - 100),)
    first, second, third = causes
    view = digest(
        ended("a", Status.FAILED, cause=first),
        ended("b", Status.FAILED, cause=other),
        ended("c", Status.FAILED, cause=second, checkpoints=saved),
        ended("d", Status.FAILED, cause=third),
    )
    assert [(row.subject, row.note) for row in shown_failures(view, 12)] == [
        ("a", ""),
        ("c", "checkpoint at step 2"),
        ("d", "advice for all 3: use a smaller batch"),
        ("b", "advice: fix train.py line 7"),
    ]
    assert view.first_failure == "a"


def test_runs_that_waited_as_long_are_named_together() -> None:
    sweep = [queued(f"w{number}", created_at=NOW.wall - 2 * HOUR - number, group="sweep") for number in range(3)]
    assert (
        texts(digest(*sweep, queued("short", created_at=NOW.wall - HOUR)))["waited"]
        == "3 runs of sweep: waiting for 2h"
    )


def test_failures_stand_before_the_lost_and_those_before_what_a_guard_stopped() -> None:
    heat = Cause(kind="overheated", evidence="GPU 1 at 91 C")
    view = digest(
        ended("hot", Status.STOPPED, cause=heat),
        ended("gone", Status.LOST),
        ended("bad", Status.FAILED, cause=OOM),
        ended("mine", Status.STOPPED),
    )
    assert [row.subject for row in view.failures] == ["bad", "gone", "hot"]
    assert view.first_failure == "bad"
    assert texts(view)["stopped"] == "mine: by a user"


def _done(name: str, metric: str, value: float, **fields: Any) -> KnownRun:
    return ended(name, metrics={metric: value}, best={metric: Extreme(value, 7)}, **fields)


def test_the_best_of_a_group_is_named_with_its_metric() -> None:
    runs = [_done("one", "val_acc", 0.5, group="g"), _done("two", "val_acc", 0.75, group="g"), ended("x", group="g")]
    assert texts(digest(*runs))["completed"] == "3 runs of g: best val_acc 0.7500, two"


def test_different_trainings_are_not_compared() -> None:
    rows = digest(_done("one", "loss", 0.5), _done("two", "loss", 0.25)).rows
    assert [f"{row.subject}: {row.story}" for row in rows if row.state == "completed"] == [
        "one: smoothed best loss 0.5000",
        "two: smoothed best loss 0.2500",
    ]


def test_an_unknown_direction_has_no_best() -> None:
    assert texts(digest(ended("one", metrics={"score": 1.0})))["completed"] == "one: last score 1.000"
    assert texts(digest(ended("one")))["completed"] == "one: no metrics"
    runs = [ended(name, metrics={"score": 1.0}, group="g") for name in ("a", "b")]
    assert "no best run: it is unknown whether lower or higher score is better" in texts(digest(*runs))["completed"]


def test_a_timeboxed_run_says_whether_it_resumes() -> None:
    saved = (Checkpoint(path="/c/41.pt", step=41_000, saved_at=NOW.wall - 100),)
    assert (
        texts(digest(ended("a", Status.TIMEBOXED, checkpoints=saved)))["timeboxed"] == "a: saved step 41,000, r resumes"
    )
    assert "no checkpoint" in texts(digest(ended("a", Status.TIMEBOXED)))["timeboxed"]


def test_a_run_that_continued_in_its_next_slice_has_a_row_that_says_so() -> None:
    run = running("nano", seconds=30)
    boxed = [{"status": "timeboxed", "ended_at": iso(NOW.wall - HOUR)}, {"status": None, "ended_at": None}]
    sliced = replace(run, record=run.record | {"attempts": boxed, "slice": {"number": 3, "of": 12}})
    assert texts(digest(sliced))["timeboxed"] == "nano: continued in slice 3 of 12"
    assert "timeboxed" not in texts(digest(sliced, away=60.0))


def test_pauses_for_heat_are_counted_with_their_time_and_the_hottest() -> None:
    hot = {"by": "heat", "gpu": 1, "celsius": 86.0}
    hotter = hot | {"celsius": 87.0}
    story = (
        event("paused", ago=60 * MINUTE, **hot),
        event("continued", ago=50 * MINUTE),
        event("paused", ago=30 * MINUTE, by="person"),
        event("continued", ago=20 * MINUTE),
        event("paused", ago=4 * MINUTE, **hotter),
    )
    view = digest(DigestRun(run=running("a", seconds=9 * HOUR), events=story))
    assert texts(view)["paused"] == "twice for heat: 14m in total, GPU 1, up to 87 °C"


def test_a_run_that_can_never_start_is_shown_as_a_warning() -> None:
    never = {"check": "gpu_count", "message": "can never start: needs 4 GPUs, machine has 2", "permanent": True}
    view = digest(queued("big", created_at=NOW.wall - MINUTE, holds=(never,)))
    assert texts(view)["waiting"] == "big: can never start: needs 4 GPUs, machine has 2"
    pieces = [piece for line in draw_digest(view, 100, UNICODE) for piece in line]
    assert {piece.token for piece in pieces if "waiting" in piece.text} == {Token.WARN}


def test_the_longest_wait_is_shown_if_it_was_long() -> None:
    view = digest(
        queued("short", created_at=NOW.wall - HOUR),
        queued("long", created_at=NOW.wall - 2 * HOUR, holds=({"check": "ram", "message": "RAM 3.1 GB free"},)),
        running("ran", seconds=7 * HOUR, created_at=NOW.wall - 20 * HOUR),
    )
    assert texts(view)["waited"] == "long: waiting for 2h: RAM 3.1 GB free"
    assert "waited" not in texts(digest(queued("new", created_at=NOW.wall - MINUTE)))


def test_only_what_a_retry_may_help_is_offered_for_one() -> None:
    killed = Cause(kind="killed_by_signal", evidence="SIGKILL", retryable=True)
    view = digest(
        ended("oom", Status.FAILED, cause=OOM), ended("killed", Status.FAILED, cause=killed), ended("gone", Status.LOST)
    )
    assert list(view.retry) == ["killed", "gone"]


def test_what_was_resumed_meanwhile_is_not_retried_again() -> None:
    gone = DigestRun(run=ended("gone", Status.LOST))
    digest = AbsenceDigest(since=NOW.wall - HOUR, until=NOW.wall, back_at=NOW.wall, runs=(gone,))
    assert not digest_view(digest, snapshot(running("gone"))).retry


def test_files_of_which_it_is_not_known_whose_they_are_are_named() -> None:
    shared = SharedDirectory(folder="/w/ckpt", runs=("other",), files=("/w/ckpt/9.pt",))
    view = digest(ended("good", shared_directory=shared), ended("bad", Status.FAILED, shared_directory=shared))
    assert [row.story for row in view.rows if row.subject == "good"][-1] == "it is not known whose 9.pt is"
    assert "it is not known whose 9.pt is" in view.failures[0].note


def test_it_says_how_long_the_absence_was() -> None:
    assert digest().when.startswith("Away 6h12m, since ")
    assert digest(back_at=None).title == "What happened in the last day"


def test_nothing_from_outside_reaches_the_terminal_as_a_command() -> None:
    evil = ended(
        "a", Status.FAILED, name="x\x1b]0;owned\x07y", cause=Cause(kind="python_error", evidence="E\x1b[2J: z")
    )
    lines = draw_digest(digest(evil), 88, UNICODE)
    text = "\n".join(map(text_of, lines))
    assert "xy" in text
    assert "E: z" in text
    assert not {"\x1b", "\x07"} & set(text)


def test_it_fits_a_narrow_screen_and_ascii() -> None:
    for glyphs in (UNICODE, ASCII):
        for width in (16, 36, 76, 88):
            for line in draw_digest(digest(ended("vit-l16-384", Status.FAILED, cause=OOM), queued("q")), width, glyphs):
                assert len(text_of(line)) <= max(width, 36)


def test_what_is_too_much_is_counted() -> None:
    causes = [Cause(kind="python_error", summary=f"Error{chr(65 + number)}") for number in range(20)]
    failed = [ended(cause.summary or "", Status.FAILED, cause=cause) for cause in causes]
    view = digest(*failed, unread=3)
    assert shown_failures(view, 12)[-1].subject == "8 more"
    assert view.rows[-1].subject == "3 runs"


def test_rows_are_hidden_only_where_the_screen_has_no_room_for_them_and_then_counted() -> None:
    done = [_done(f"run{number}", "loss", 0.5) for number in range(30)]
    failed = [ended(f"bad{number}", Status.FAILED, cause=OOM, group=f"g{number}") for number in range(3)]
    view = digest(*done, *failed)

    def shown(height: int | None) -> tuple[int, list[str]]:
        lines = list(map(text_of, draw_digest(view, 88, UNICODE, height=height)))
        return sum("best loss" in line for line in lines), [line.strip() for line in lines if " more" in line]

    assert shown(None) == shown(50) == (30, [])
    count, (more,) = shown(30)
    assert more.split() == ["✓", "completed", str(30 - count), "more", "in", "the", "list"]
    assert len(draw_digest(view, 88, UNICODE, height=30)) in range(27, 31)
    assert shown(10)[0] == shown(1)[0] == 3


def test_timeboxed_runs_with_the_same_story_share_a_row() -> None:
    saved = (Checkpoint(path="/c/2.pt", step=2, saved_at=NOW.wall - 100),)
    none = [ended(f"g{number}", Status.TIMEBOXED, group="grid") for number in range(4)]
    rows = digest(*none, ended("x", Status.TIMEBOXED, checkpoints=saved)).rows
    assert [(row.subject, row.story) for row in rows if row.state == "timeboxed"] == [
        ("4 runs of grid", "no checkpoint, r starts over"),
        ("x", "saved step 2, r resumes"),
    ]


def test_timeboxed_runs_that_differ_only_in_their_step_share_a_row_if_they_are_many() -> None:
    def stories(count: int) -> list[tuple[str, str]]:
        runs = [
            ended(
                f"g{step}",
                Status.TIMEBOXED,
                group="grid",
                checkpoints=(Checkpoint(path=f"/c/{step}.pt", step=step, saved_at=NOW.wall - 100),),
            )
            for step in range(1, count + 1)
        ]
        return [(row.subject, row.story) for row in digest(*runs).rows if row.state == "timeboxed"]

    assert stories(2) == [("g1", "saved step 1, r resumes"), ("g2", "saved step 2, r resumes")]
    assert stories(9) == [("9 runs of grid", "saved step 1, r resumes (g1)")]


def test_the_advice_is_that_of_the_card_of_the_run() -> None:
    cause = Cause(kind="python_error", summary="ZeroDivisionError", advice="fix crash.py line 5, then resume")
    saved = (Checkpoint(path="/c/2.pt", step=2, saved_at=NOW.wall - 100),)
    without = ended("a", Status.FAILED, cause=cause)
    (row,) = digest(without).failures
    card = card_of(without, snapshot(without))
    assert card is not None
    assert row.advice == dict(card.lines)["advice"] == "fix crash.py line 5, then run it again"
    (both,) = digest(without, ended("b", Status.FAILED, cause=cause, checkpoints=saved)).failures
    assert both.advice == "fix crash.py line 5, then resume what has a checkpoint and run the others again"
    assert both.saved == "1 of them has a checkpoint"
