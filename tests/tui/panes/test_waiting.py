"""Why a run waits and why one stands still, in full."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from backprop_tui.domain.lifecycle import begin_attempt
from backprop_tui.domain.live import Pause
from backprop_tui.domain.run import Cause, Checkpoint, Queued
from backprop_tui.domain.status import Status
from backprop_tui.domain.telemetry import GpuReading
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.run_line import Tone, reason_text, run_line
from backprop_tui.tui.glyphs import ASCII, UNICODE
from backprop_tui.tui.lines import Line, Token, changed_spans, text_of, width_of
from backprop_tui.tui.panes.card import card_of
from backprop_tui.tui.panes.details import draw_details
from backprop_tui.tui.panes.waiting import draw_waiting, waiting_view
from backprop_tui.tui.snapshot import OpenRun
from tests.tui.snapshots import (
    NOW,
    ended,
    gb,
    governor,
    gpu,
    queued,
    removed_from_queue,
    running,
    sample,
    snapshot,
    stored,
)

HOT = {
    "check": "gpu_temperature",
    "figure": 84.0,
    "limit": 80.0,
    "gpu": 1,
    "message": "GPU 1 too hot, 84 °C, starts below 80",
}
HELD = {"check": "queue_held", "message": "queue held by you, nothing new starts"}
COUNT = {"check": "gpu_count", "figure": 0, "limit": 2, "message": "needs 2 GPUs, 0 usable"}


def test_all_checks_are_listed_failing_ones_first() -> None:
    held = queued("big", queue_position=3, holds=(COUNT, HOT))
    view = waiting_view(held, snapshot(held, sample=sample(gpu(0), gpu(1)), governor=governor()))
    assert view is not None
    assert view.title == "Waiting on 2 checks"
    assert [(row.name, row.now, row.limit) for row in view.failing] == [
        ("GPUs usable", "0 usable", "needs 2"),
        ("queue", "2 runs ahead", ""),
    ]
    assert (view.rows[2].name, view.rows[2].now, view.rows[2].passes) == ("GPU 1", "84 °C", False)
    passing = {row.name: (row.now, row.limit) for row in view.rows[3:]}
    assert passing["starts"] == ("3 of 4 left", "needs 1")
    assert passing["RAM free"] == ("134 GB", "keeps 4 GB")
    assert passing["GPU 0"] == ("71 °C, 18.7 GB free", "needs 2.5 GB, below 82 °C")
    assert "GPU 1" not in passing
    assert not any(row.is_failing for row in view.rows[3:])


def test_only_a_reading_within_its_limit_is_ticked_and_only_of_a_gpu_that_the_run_may_use() -> None:
    def marks(spec: dict[str, Any], *gpus: GpuReading) -> dict[str, str]:
        held = queued("a", holds=(HELD,), spec=spec)
        view = waiting_view(held, snapshot(held, sample=sample(*gpus), governor=governor(start_tokens=0.5)))
        assert view is not None
        drawn = [text_of(line).split() for line in draw_waiting(view, 80, UNICODE).lines[4:]]
        return {words[1] + words[2]: words[0] for words in drawn if words[1] in ("GPU", "starts")}

    gpus = (gpu(0), gpu(4), gpu(5, temperature_celsius=91.0), gpu(6, memory_used_bytes=gb(79)))
    assert marks({}, *gpus) == {"starts0": "✗", "GPU0": "✓", "GPU4": "✓", "GPU5": "✗", "GPU6": "✗"}
    assert marks({"gpu_ids": ("5",)}, *gpus) == {"starts0": "✗", "GPU5": "✗"}
    assert marks({"visible_gpus": ("GPU-4", "0")}, *gpus) == {"starts0": "✗", "GPU0": "✓", "GPU4": "✓"}
    assert marks({"gpus": 0}, *gpus) == {"starts0": "✗"}


def test_gpus_of_which_any_would_do_are_one_check_with_a_line_for_each() -> None:
    message = "none of 3 GPUs has 60 GB (best: GPU 1, 46.9 unclaimed)"
    any_gpu = {"check": "gpu_count", "figure": 0, "limit": 1, "message": message}
    memory = {"check": "gpu_memory", "limit": gb(60), "setting": "gpu.min_free_vram_mb"}
    free = memory | {"gpu": 0, "figure": gb(45.4), "message": "GPU 0: 45.4 GB free, needs 60"}
    unclaimed = memory | {"gpu": 1, "figure": gb(46.9), "message": "GPU 1: 46.9 GB unclaimed, needs 60"}
    kept = {"check": "gpu_count", "gpu": 2, "figure": 0, "limit": 1, "message": "GPU 2 kept for hotone"}
    hot = HOT | {"gpu": 2, "message": "hot"}
    held = queued("big", holds=(any_gpu, kept, free, unclaimed, hot))
    view = waiting_view(held, snapshot(held, sample=sample(gpu(0), gpu(1), gpu(2))))
    assert view is not None
    drawn = [" ".join(text_of(line).split()) for line in draw_waiting(view, 120, UNICODE).lines]
    assert drawn[0] == "◌ Waiting on 1 check queued 17m ago, first in line"
    assert drawn[3:7] == [
        f"✗ GPU {message} → min_free_vram_mb 48000, this run",
        "✗ GPU 2 kept for hotone, 84 °C below 80 °C",
        "✗ GPU 0 45.4 GB free needs 60 GB",
        "✗ GPU 1 46.9 GB unclaimed needs 60 GB",
    ]
    assert reason_text(held, NOW) == f"#1 {message}"


def test_no_start_is_estimated_by_the_end_of_runs_that_is_not_enough() -> None:
    runs = [running(name, eta_seconds=60.0) for name in "ab"]
    for holds, is_estimated in (((COUNT,), True), ((COUNT, HOT), False), ((HELD, COUNT), False)):
        held = queued("big", holds=holds)
        view = waiting_view(held, snapshot(*runs, held))
        assert view is not None
        assert bool(view.earliest) is is_estimated


def test_each_check_of_a_held_queue_has_its_own_name() -> None:
    held = queued("big", queue_position=3, holds=(HELD,))
    view = waiting_view(held, snapshot(held))
    assert view is not None
    assert [(row.name, row.now) for row in view.failing] == [
        ("hold", "queue held by you, nothing new starts"),
        ("queue", "2 runs ahead"),
    ]


def test_remedies_stand_in_one_column_behind_the_longest_limit() -> None:
    held = queued("big", holds=(COUNT | {"check": "ram"}, HOT | {"setting": "gpu.max_temp_c", "figure": 88.0}))
    view = waiting_view(held, snapshot(running("a"), held))
    assert view is not None
    lines = [text_of(line) for line in draw_waiting(view, 120, UNICODE).lines]
    column = lines[2].index("remedy")
    assert [line[column - 2 : column].strip() for line in lines[3:5]] == ["", ""]
    assert lines[4][column:].startswith("passes when")


@pytest.mark.parametrize(
    ("reason", "now", "limit"),
    [
        (
            {"check": "ram", "figure": 3.14 * 2**30, "limit": 2**32, "message": "RAM is short"},
            "3.1 GB",
            "keeps 4 GB",
        ),
        (
            {"check": "load", "figure": 2.5, "limit": 2.0, "message": "load", "setting": "governor.max_load_per_core"},
            "2.50 per core",
            "below 2",
        ),
        (
            {"check": "parallel", "figure": 2, "limit": 2, "message": "2 active"},
            "2 used",
            "at most 2",
        ),
        ({"check": "load", "figure": 2.5, "limit": 2.0, "message": "load"}, "2.50 per core", "below 2"),
        ({"check": "starts", "figure": 0.4, "limit": 1, "message": "retry 2 in 41s"}, "retry 2 in 41s", ""),
        ({"check": "queue_held", "message": "queue held by you"}, "queue held by you", ""),
        ({"check": "of_the_future", "message": "who knows"}, "who knows", ""),
        ({"check": "gpu_memory", "figure": "much", "limit": 1, "gpu": 0, "message": "GPU 0 is full"}, "is full", ""),
    ],
)
def test_a_check_is_shown_in_figures_or_in_the_governors_words(reason: dict[str, Any], now: str, limit: str) -> None:
    held = queued("a", holds=(reason,))
    view = waiting_view(held, snapshot(held))
    assert view is not None
    assert (view.rows[0].now, view.rows[0].limit) == (now, limit)


def test_a_guess_says_whose_end_would_free_what_it_needs() -> None:
    held = queued("big", holds=(COUNT,))
    soon = running("soon", seconds=300, step=90, total_steps=100, eta_seconds=120.0)
    late = running("late", seconds=0)
    view = waiting_view(held, snapshot(soon, late, held))
    assert view is not None
    assert view.earliest.endswith("when soon and late end")
    pause = Pause(since=0, by="heat", reason="hot")
    paused = waiting_view(
        held, snapshot(running("soon", step=90, total_steps=100, eta_seconds=9.0, pause=pause), late, held)
    )
    assert paused is not None
    assert paused.earliest == ""
    behind = waiting_view(replace(held, queue_position=2), snapshot(soon, late, held))
    assert behind is not None
    assert behind.earliest == ""
    alone = waiting_view(held, snapshot(soon, held))
    assert alone is not None
    assert alone.earliest == ""


PACE = {
    "check": "starts",
    "message": "start limit, next in 41s (governor.starts_per_minute 1)",
    "setting": "governor.starts_per_minute",
}


def test_a_remedy_stands_beside_its_check_or_below_it_and_the_cursor_is_on_both() -> None:
    view = waiting_view(queued("a", holds=(PACE, COUNT)), snapshot())
    assert view is not None
    wide = draw_details((), 120, UNICODE, waiting=view, cursor=0)
    assert text_of(wide.lines[3]).split("  ")[1] == "✗ starts"
    assert text_of(wide.lines[3]).endswith("→ starts_per_minute 0")
    assert "next in 41s  " in text_of(wide.lines[3])
    assert text_of(wide.lines[4]).endswith("passes by itself")
    assert [piece.text for piece in wide.lines[3] if piece.chosen] == ["starts", "→ starts_per_minute 0"]
    assert wide.places[0] == (3, "starts", "next in 41s")
    narrow = [text_of(line).strip() for line in draw_details((), 60, UNICODE, waiting=view).lines]
    assert narrow[3:7] == ["✗ starts      next in 41s", "→ starts_per_minute 0", narrow[5], "passes by itself"]


def test_a_second_repaints_only_the_cells_of_the_time() -> None:
    def drawn(seconds: int) -> Sequence[Line]:
        pace = PACE | {"message": f"start limit, next in {seconds}s (governor.starts_per_minute 1)"}
        view = waiting_view(queued("a", holds=(pace, COUNT)), snapshot(governor=governor()))
        assert view is not None
        return draw_details((), 120, UNICODE, waiting=view).lines

    spans = [changed_spans(old, new, 120) for old, new in zip(drawn(41), drawn(40), strict=True)]
    assert [span for span in spans if span] == [[(25, 26)]]


def test_a_hot_gpu_cools_in_a_time_only_if_its_readings_fall() -> None:
    def remedy(**cooling: float) -> str:
        held = queued("a", holds=(HOT | {"setting": "gpu.max_temp_c"},))
        rates = {f"GPU-{index}": rate for index, rate in ((1, cooling.get("rate", 0.0)),) if rate}
        view = waiting_view(held, snapshot(held, sample=sample(gpu(0), gpu(1)), cooling=rates))
        assert view is not None
        return view.rows[0].remedy

    assert remedy(rate=4 / 180) == "cools in about 3m"
    assert remedy() == remedy(rate=0.0001) == "passes when it is cooler"


def test_what_can_never_start_is_a_warning_in_table_row_and_card() -> None:
    never = {"check": "gpu_count", "figure": 0, "limit": 4, "permanent": True}
    message = "can never start: needs 4 GPUs, machine has 2"
    held = queued("big", holds=(never | {"message": message}, PACE))
    view = waiting_view(held, snapshot(held))
    assert view is not None
    assert (view.title, view.rows[0].now, view.rows[0].remedy) == (
        "Can never start",
        "needs 4 GPUs, machine has 2",
        "rerun with fewer GPUs",
    )
    lines = draw_details((), 80, UNICODE, waiting=view).lines
    assert {piece.token for piece in lines[0] if "never" in piece.text} == {Token.WARN}
    row = run_line(held, NOW)
    assert row is not None
    assert (row.clauses[0], row.tone) == (message, Tone.WARNING)
    assert reason_text(held, NOW) == f"#1 {message} (+1 more)"
    card = card_of(held, snapshot(held))
    assert card is not None
    assert (card.title, card.token) == (message, Token.WARN)


def test_who_overtook_is_counted() -> None:
    at = NOW.wall - 1000
    later = running("a", created_at=at + 100, position=at + 100)
    earlier = running("b", created_at=at - 100, position=at - 100)

    def note(*others: KnownRun, **fields: Any) -> str:
        held = queued("big", holds=(COUNT,), **fields)
        view = waiting_view(held, snapshot(*others, held))
        assert view is not None
        return view.note

    assert note(later, earlier).endswith("1 later run started before it")
    assert "later" not in note(earlier)
    assert "later" not in note(running("moved up", created_at=at + 100, position=at - 1))
    assert "later" not in note(later, position=at - 1)  # moved up by hand
    first = running("first of the sweep", created_at=at + 0.001, position=at + 1e-6)
    assert "later" not in note(first, created_at=at + 0.002, position=at + 2e-6)


def test_a_run_that_is_queued_again_says_since_when_and_where_it_continues() -> None:
    saved = Checkpoint(path="/out/step_1000.pt", step=1000, saved_at=NOW.wall - 60)
    attempts = stored("a", created_at=NOW.wall - 420)
    attempts = begin_attempt(attempts, now=NOW.wall - 400, boot_id=NOW.boot_id)
    fields: dict[str, Any] = {"attempts": attempts.attempts, "created_at": NOW.wall - 420, "checkpoints": (saved,)}
    held = queued("a", holds=(COUNT,), state=Queued(since=NOW.wall - 25, resume_from=saved.path), **fields)
    later = running("b", created_at=NOW.wall - 300)
    view = waiting_view(held, snapshot(later, held))
    assert view is not None
    assert view.note == "queued again 25s ago, first in line, resumes from step 1,000"
    rows = [text_of(line).strip() for line in draw_waiting(view, 60, UNICODE).lines[:2]]
    assert " ".join(rows).endswith("resumes from step 1,000"), "in two rows where there is no room in one"


def test_what_waits_only_for_its_turn_has_no_card() -> None:
    run = queued("a", queue_position=2)
    assert waiting_view(run, snapshot(run)) is None
    assert card_of(run, snapshot(run)) is None


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_the_table_stands_above_the_details_and_fits(width: int) -> None:
    held = queued("big", queue_position=3, holds=(COUNT, HOT))
    view = waiting_view(held, snapshot(held, sample=sample(gpu(0), gpu(1)), governor=governor()))
    for glyphs in (UNICODE, ASCII):
        lines = draw_details((), width, glyphs, waiting=view).lines
        assert all(width_of(line) <= width for line in lines)
        assert "Waiting on 2 checks" in text_of(lines[0])
        assert "GPUs usable" in text_of(lines[3])


def test_a_pause_says_since_when_until_what_and_how_often() -> None:
    pause = Pause(since=NOW.wall - 130, by="heat", reason="GPU 1 too hot, 86 °C, continues below 80")
    run = running("a", pause=pause)
    events = tuple({"event": kind} for kind in ("started", "paused", "continued", "paused"))
    card = card_of(run, snapshot(run, opened=OpenRun(run_id="a", events=events)))
    assert card is not None
    assert card.token is Token.WARN
    assert card.title == "Paused: GPU 1 too hot, 86 °C, continues below 80"
    lines = dict(card.lines)
    assert "2m10s so far, 2 pauses so far" in lines["since"]
    assert "continues by itself below 80 °C" in lines["limit"]
    assert "1h, then it is stopped" in lines["at most"]


def test_what_a_person_paused_waits_for_a_person() -> None:
    run = running("a", pause=Pause(since=NOW.wall - 5, by="person", reason="paused by you"))
    card = card_of(run, snapshot(run))
    assert card is not None
    assert dict(card.lines)["until"] == "p continues it; its timebox does not run"


def test_a_bad_end_has_a_card_and_a_good_one_none() -> None:
    bad, good = ended("a", Status.FAILED), ended("b")
    card = card_of(bad, snapshot(bad))
    assert card is not None
    assert card.token is Token.BAD
    assert card_of(good, snapshot(good)) is None


def test_the_card_of_a_failed_run_stays_when_it_is_removed_from_the_queue() -> None:
    run = removed_from_queue("a", Cause(kind="cuda_oom", evidence="x", summary="CUDA out of memory", advice="halve it"))
    card = card_of(run, snapshot(run))
    assert card is not None
    assert card.title == "CUDA out of memory"
    lines = dict(card.lines)
    assert lines["advice"] == "halve it"
    assert lines["then"] == "removed from the queue: stopped by you before its next attempt"


def test_a_remedy_stands_right_after_a_long_reading() -> None:
    claimed = {"check": "gpu_memory", "gpu": 0, "message": "GPU 0 claimed by wav2vec-ft, still loading"}
    waiting = queued("a", holds=(claimed,))
    view = waiting_view(waiting, snapshot(running("wav2vec-ft"), waiting))
    assert view is not None
    text = [text_of(line) for line in draw_waiting(view, 80, UNICODE).lines]
    assert any("still loading  → stop wav2vec-ft" in line for line in text)


def test_a_failure_without_a_checkpoint_is_not_resumed() -> None:
    def card_lines(**fields: Any) -> dict[str, str]:
        cause = Cause(kind="python_error", evidence="ValueError: x", advice="fix train.py line 7, then resume")
        run = ended("bad", Status.FAILED, cause=cause, **fields)
        card = card_of(run, snapshot(run))
        assert card is not None
        return dict(card.lines)

    without = card_lines()
    assert without["advice"] == "fix train.py line 7, then run it again"
    assert without["resume"].startswith("no checkpoint: r starts over")
    checkpoint = Checkpoint(path="/ckpt/step_9.pt", step=9, saved_at=NOW.wall - 90, written=True)
    assert card_lines(checkpoints=(checkpoint,))["advice"] == "fix train.py line 7, then resume"


def test_a_run_that_was_ended_from_outside_says_so_above_the_traceback_in_its_log() -> None:
    saved = Checkpoint(path="/out/step_1000.pt", step=1000, saved_at=NOW.wall - 60)
    limited = ended("a", Status.TIMEBOXED, spec={"max_run_seconds": 600.0}, checkpoints=(saved,))
    stopped = ended("b", Status.STOPPED)
    stopped = replace(stopped, record=stopped.record | {"reason": "stopped by you"})
    titles = [card.title for run in (limited, stopped) if (card := card_of(run, snapshot(run))) is not None]
    assert titles == [
        "Reached its limit of 10m: saved step 1,000, r resumes",
        "Stopped by you: no checkpoint, r starts over",
    ]
    assert card_of(ended("c"), snapshot()) is None


def test_a_check_that_is_longer_than_a_row_is_wrapped() -> None:
    setting = "gpu.min_free_vram_mb 2500; gpu.max_temp_c 85"
    message = f"none of 8 GPUs usable: 7 too full + 1 too hot ({setting})"
    hold = {"check": "gpu_count", "figure": 0, "limit": 1, "gpu": None, "message": message, "setting": None}
    view = waiting_view(queued("a", holds=(hold,)), snapshot())
    assert view is not None
    drawn = " ".join(" ".join(text_of(line).split()) for line in draw_waiting(view, 80, UNICODE).lines)
    assert "7 too full + 1 too hot" in drawn
    assert setting in drawn


def test_a_run_without_a_slot_says_how_many_of_the_gpus_it_needs_are_usable() -> None:
    slots = {"check": "parallel", "figure": 2, "limit": 2, "message": "2 of 2 slots used", "setting": "max_parallel"}

    def counts(**spec: Any) -> list[tuple[str, str, bool]]:
        held = queued("a", holds=(slots,), spec=spec)
        hot = gpu(2, temperature_celsius=91.0)
        view = waiting_view(held, snapshot(held, sample=sample(gpu(0), gpu(1), hot), governor=governor()))
        assert view is not None
        return [(row.now, row.limit, row.passes) for row in view.rows if row.name == "GPUs usable"]

    assert counts(gpus=2) == [("2 usable", "needs 2", True)]
    assert counts(gpus=3) == [("2 usable", "needs 3", False)]
    assert counts(gpu_ids=("1", "2")) == [("1 usable", "needs 2", False)]
    assert counts() == [("2 usable", "needs 1", True)]
    assert counts(gpus=0) == []
