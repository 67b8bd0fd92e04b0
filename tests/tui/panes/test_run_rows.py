"""What the row of a run says, and where."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from typing import Any

import pytest

from backprop_tui.domain.goals import parse_goal
from backprop_tui.domain.live import Pause, PostponedStop, Stopping
from backprop_tui.domain.objective import parse_objective
from backprop_tui.domain.resume_verdict import ResumeCheck, ResumeVerdict
from backprop_tui.domain.run import Cause, Checkpoint, SharedDirectory
from backprop_tui.domain.status import Status
from backprop_tui.presentation.group_table import Standing, group_table
from backprop_tui.presentation.known_run import KnownRun, LossCurve
from backprop_tui.presentation.run_details import detail_sections
from backprop_tui.presentation.run_line import Tone, run_line
from backprop_tui.tui.glyphs import ASCII, UNICODE
from backprop_tui.tui.lines import Token, text_of, width_of
from backprop_tui.tui.panes.history_table import draw_history_row, history_columns
from backprop_tui.tui.panes.run_list import RunListOptions, run_list_view
from backprop_tui.tui.panes.run_row import RunRow
from backprop_tui.tui.panes.run_table import column_heads, draw_run, run_columns, runs_heading
from backprop_tui.tui.panes.selected_run import selected_run_view
from tests.tui.snapshots import NOW, ended, queued, running, snapshot

HELD = {"check": "gpu_temperature", "message": "GPU 1 too hot, 84 °C, starts below 80", "gpu": 1}


AFTER = {"check": "dependency", "message": "after nano-lm"}


def _row(run: KnownRun) -> RunRow:
    return run_list_view(snapshot(run), RunListOptions()).rows[0]


def _text(run: KnownRun, width: int = 120) -> str:
    return text_of(draw_run(_row(run), run_columns(width), UNICODE, cursor=False)).rstrip()


def test_a_running_run_shows_its_figures() -> None:
    curve = LossCurve(name="loss", values=(3.0, 2.5, 2.2))
    run = running("nano", step=38_400, total_steps=60_000, metrics={"loss": 2.214}, seconds=60, curve=curve)
    row = _row(run)
    assert (row.progress, row.step, row.loss, row.left) == (0.64, "38,400/60,000", "2.214", "9m")
    assert "64%" in _text(run)
    assert row.line is None


def test_an_eta_beyond_the_timebox_warns_where_no_slice_follows() -> None:
    late: dict[str, Any] = {"step": 10, "total_steps": 10_000, "eta_seconds": 9990.0}
    assert _row(running("a", **late)).eta_warns
    assert not _row(running("a", **late, spec={"total_seconds": 90_000.0})).eta_warns
    assert not _row(running("a", step=10, total_steps=100, eta_seconds=90.0)).eta_warns


@pytest.mark.parametrize("width", [80, 86, 95, 120])
def test_the_eta_stands_beside_the_rest_of_the_timebox(width: int) -> None:
    run = running("a", step=10, total_steps=100, eta_seconds=90.0, spec={"max_run_seconds": 600.0})
    assert _text(run, width).split()[-2:] == ["9m", "2m"]


def test_the_row_of_such_a_run_names_the_key_that_extends_it() -> None:
    late = running("a", step=10, total_steps=10_000, eta_seconds=10_000.0, metrics={"loss": 1.0}, seconds=50)
    in_time = running("b", step=10, total_steps=100, eta_seconds=90.0, metrics={"loss": 1.0}, seconds=50)
    assert re.search(r" t more +9m10s +2h47m!", _text(late))
    for width in (76, 80, 99):
        assert " t 9m10s" in _text(late, width)
        assert " 9m10s" in _text(in_time, width)
    assert not re.search(r" t( more| 9m10s)", _text(in_time) + _text(in_time, 80))


def test_a_timeboxed_run_first_says_what_is_saved_and_the_key_to_go_on() -> None:
    saved = (Checkpoint(path="/c/41.pt", step=41_000, saved_at=NOW.wall - 100),)
    assert "saved step 41,000, r resumes · reached its limit" in _text(ended("a", Status.TIMEBOXED, checkpoints=saved))
    assert "no checkpoint, r starts over" in _text(ended("a", Status.TIMEBOXED), 80)


def test_a_status_of_a_newer_version_is_shown_as_it_is() -> None:
    run = KnownRun(record=ended("a", group="g").record | {"status": "evicted"})
    assert " evicted " in _text(run)
    assert "evicted" in str(list(detail_sections(run, NOW)))
    assert group_table([run.record, ended("b", group="g").record]).rows[0].members[1].standing is Standing.STOPPED


def test_a_reason_takes_the_free_room_up_to_the_date_and_the_duration_where_both_fit() -> None:
    """No cell before the date or the duration is blank if the reason is cut."""

    def texts(summary: str, width: int) -> list[str]:
        cause = Cause(kind="module", evidence=None, advice=None, summary=summary)
        view = run_list_view(snapshot(ended("bad", Status.FAILED, cause=cause), ended("good")), RunListOptions())
        columns = history_columns(width, filter(None, map(view.column, view.history)))
        return [text_of(draw_history_row(row, columns, UNICODE, cursor=False)) for row in view.rows]

    for width in (80, 120):
        long, other = texts("ModuleNotFoundError: " + "x" * 120, width)
        date = other.split()[-1]
        assert re.search(rf"x…  {date} ?$", long)
        short = texts("Error: x", width)[0]
        assert re.search(rf"Error: x +0s +{date} ?$", short)


def test_a_reason_begins_sooner_behind_a_short_name_when_it_would_be_cut() -> None:
    def row(summary: str) -> str:
        cause = Cause(kind="cuda_oom", evidence=None, advice=None, summary=summary)
        view = run_list_view(snapshot(ended("vit", Status.FAILED, cause=cause)), RunListOptions())
        return text_of(
            draw_history_row(
                view.rows[0], history_columns(80, filter(None, map(view.column, view.history))), UNICODE, cursor=False
            )
        )

    reason = "CUDA out of memory: requested 2.50 GiB, 1.12 GiB"
    assert reason in row(reason)
    assert row(reason).index("CUDA") < row("short").index("short")


def test_a_run_that_reached_its_goal_did_not_reach_its_limit() -> None:
    run = ended("a", Status.TIMEBOXED, spec={"until": (parse_goal("step=100"),)}, step=100)
    reached = KnownRun(record=run.record | {"reason": "step 100 reached"})
    assert "step 100 reached" in _text(reached)
    assert "r starts over" not in _text(reached)


def test_a_run_without_figures_says_how_long_it_has_been_silent() -> None:
    assert "no output for 1m" in _text(running("quiet"))


def test_a_paused_run_keeps_its_progress_and_says_why() -> None:
    pause = Pause(since=0, by="heat", reason="too hot, 84 °C, continues below 80")
    run = running("vit", step=31, total_steps=100, metrics={"loss": 1.087}, pause=pause)
    assert "31%" in _text(run)
    assert _text(run).endswith("too hot, 84 °C, continues below 80")
    assert _text(run, 80).endswith("too hot, 84 °C, continues below 80")


def test_a_stopping_run_says_when_the_next_signal_comes() -> None:
    stopping = Stopping(
        status=Status.STOPPED, by="person", reason="stopped by you", since=0, stage=2, deadline=10_022.0
    )
    assert _text(running("unet", step=1, stopping=stopping)).endswith("by you · kill in 22s")


def test_a_run_that_stops_at_its_next_checkpoint_says_so_at_any_width() -> None:
    postponed = PostponedStop(
        status=Status.STOPPED, by="person", reason="stopped by you", since=NOW.wall, deadline=NOW.monotonic + 21
    )
    run = running("rings", step=1, total_steps=10, postponed=postponed)
    assert _text(run, width=200).endswith("at the next checkpoint, max 21s · by you")
    assert _text(run).endswith("at the next checkpoint, max 21s")
    assert _text(run, width=80).endswith("at the next checkpoint, max 21s")
    assert _text(run, width=72).endswith("at the next checkpoint")


def test_a_queued_run_says_what_it_waits_for() -> None:
    held, after = _row(queued("a", holds=(HELD,))).line, _row(queued("a", holds=(AFTER,))).line
    assert held is not None
    assert after is not None
    assert (held.tone, after.tone) == (Tone.INFO, Tone.MUTED)
    assert "behind 1 run" in _text(queued("a", queue_position=2))
    assert "#3" in _text(queued("a", queue_position=3, holds=(HELD,)))


def test_a_failed_run_says_its_cause_with_the_figures() -> None:
    evidence = "OutOfMemoryError: CUDA out of memory. Tried to allocate 2.50 GiB (GPU 0; of which 1.12 GiB is free)"
    run = ended("vit", Status.FAILED, cause=Cause(kind="cuda_oom", evidence=evidence))
    assert "CUDA out of memory: requested 2.50 GiB, 1.12 GiB free" in _text(run)
    assert _text(run).endswith("1m ago")


def test_names_and_reasons_from_outside_are_harmless() -> None:
    run = ended(
        "x", Status.FAILED, name="\x1b]0;evil\x07name", cause=Cause(kind="python_error", evidence="E\x1b[2J: x")
    )
    assert "\x1b" not in _text(run)
    assert "name" in _text(run)


def test_a_loss_that_is_no_number_is_bad() -> None:
    assert _row(running("a", step=1, metrics={"loss": float("nan")})).loss_token is Token.BAD


def test_every_row_fits_every_width() -> None:
    runs = [
        running("nano" * 9, step=38_400, total_steps=60_000, metrics={"loss": 2.214}),
        running("日本" * 12, pause=Pause(since=0, by="heat", reason="too hot, 84 °C, continues below 80"), step=1),
        queued("waits", holds=(HELD, AFTER)),
        ended("failed", Status.FAILED, cause=Cause(kind="python_error", evidence="ValueError: " + "x" * 300)),
    ]
    for width in range(20, 260):
        columns = run_columns(width)
        for glyphs in (UNICODE, ASCII):
            for run in runs:
                assert width_of(draw_run(_row(run), columns, glyphs, cursor=True)) <= width, (width, run.id)
            view = run_list_view(snapshot(*runs), RunListOptions())
            title = runs_heading(view, columns, glyphs, focused=True)
            assert width_of(title.draw(view, width, glyphs, focused=True)) == width


def test_a_clock_of_another_boot_stands_still() -> None:
    run = running("a", seconds=60)
    assert run.live is not None
    clock = replace(run.live.clock, boot_id="another", mark=0.0)
    assert _row(replace(run, live=replace(run.live, clock=clock))).left == "9m"


def test_a_summary_of_the_cause_is_what_the_row_says() -> None:
    cause = Cause(kind="python_error", evidence="my.Boom: x", summary="Boom: x")
    assert "Boom: x" in _text(ended("a", Status.FAILED, cause=cause))
    assert "my.Boom" not in _text(ended("a", Status.FAILED, cause=cause))


def test_a_doubtful_resume_stands_in_the_row_of_an_ended_run() -> None:
    check = ResumeCheck(
        verdict=ResumeVerdict.RESTARTED, attempt=2, message="began again at step 1 after 400: loss 4, before 1"
    )
    assert "! started over after the resume" in _text(ended("a", Status.TIMEBOXED, resume_check=check))
    fine = replace(check, verdict=ResumeVerdict.CONTINUED)
    assert "resume" not in _text(ended("a", Status.TIMEBOXED, resume_check=fine))


def test_checkpoints_without_an_owner_are_named_in_an_ended_row_and_hide_no_figures() -> None:
    shared = SharedDirectory(folder="/w/ckpt", runs=("other",), files=("/w/ckpt/9.pt",))
    active = running("a", step=10, total_steps=60, metrics={"loss": 2.214}, shared_directory=shared)
    assert _row(active).line is None
    assert "2.214" in _text(active, width=80)
    for status in (Status.COMPLETED, Status.FAILED):
        assert "! 9.pt in /w/ckpt may be of this run or of run other" in _text(
            ended("a", status, shared_directory=shared), width=200
        )


def test_the_details_and_the_card_tell_the_cause_with_its_line() -> None:
    cause = Cause(
        kind="cuda_oom", evidence="torch.OutOfMemoryError: x", summary="CUDA out of memory", advice="halve", line=8214
    )
    view = selected_run_view(snapshot(ended("a", Status.FAILED, cause=cause)), "a")
    assert view is not None
    assert view.card is not None
    assert ("evidence", "line 8,214: torch.OutOfMemoryError: x") in view.card.lines
    (section,) = [section for section in view.sections if section.title == "Cause"]
    assert section.lines == (
        ("cause", "cuda oom: CUDA out of memory"),
        ("evidence", "line 8,214: torch.OutOfMemoryError: x"),
        ("advice", "halve"),
    )


def test_epochs_are_shown_if_the_number_of_steps_is_unknown() -> None:
    row = _row(running("vit", step=1200, epoch=28.5, total_epochs=90, metrics={"loss": 1.087}, eta_seconds=3600.0))
    assert (row.step, row.eta) == ("ep 28/90", "1h!")
    assert row.progress is not None
    assert 0.31 < row.progress < 0.32
    assert _row(running("keras", step=16, total_steps=64, epoch=1.0, total_epochs=4)).step == "16/64"
    assert _row(running("plain", epoch=3.0)).step == "ep 3"
    assert "ep 28/90" in _text(running("vit", step=1200, epoch=28.5, total_epochs=90))


def test_the_last_epoch_is_not_all_done_when_it_begins() -> None:
    row = _row(running("vit", epoch=3.0, total_epochs=3, epochs_done=2.0))
    assert row.progress is not None
    assert 0.66 < row.progress < 0.67


def test_the_eta_is_what_the_guardian_recorded() -> None:
    known: dict[str, Any] = {"step": 10, "total_steps": 100}
    assert _row(running("a", **known, eta_seconds=50.0)).eta.strip() == "50s"
    assert _row(running("a", **known)).eta.strip() == ""


def test_an_objective_that_was_never_printed_is_reported() -> None:
    run = ended("a", metrics={"loss": 0.5}, best={}, spec={"objective": parse_objective("val_loss")})
    line = run_line(run, NOW)
    assert line is not None
    assert line.clauses == ("loss 0.5000", "val_loss not printed yet")


def test_a_fresh_run_is_not_called_silent() -> None:
    for seconds, clause in ((0.0, "no output yet"), (5.0, "no output for 5s")):
        line = run_line(running("a", seconds=seconds), NOW)
        assert line is not None
        assert line.clauses == (clause,)


@pytest.mark.parametrize("width", [53, 60, 72, 78, 79, 80, 100])
def test_the_rest_of_the_timebox_and_the_time_to_the_end_have_names_at_every_width(width: int) -> None:
    run = running("nano", step=10, total_steps=100, seconds=60, metrics={"loss": 2.2}, eta_seconds=300.0)
    columns = run_columns(width)
    assert _text(run, width).split()[-2:] == ["9m", "5m"]
    heads = {head.key: head for head in column_heads(columns, None, UNICODE)}
    assert (heads["left"].text, heads["eta"].text) == ("timebox", "eta")
    assert heads["left"].at + len("timebox") == columns.eta_at
    assert all(before.at + len(before.text) < after.at for before, after in itertools.pairwise(heads.values()))


def test_with_the_bar_of_the_timebox_its_rest_is_what_is_left() -> None:
    assert [head.text for head in column_heads(run_columns(140), None, UNICODE)][6:9] == ["timebox", "left", "eta"]


def test_only_reasons_of_a_kind_are_counted_where_there_is_no_room() -> None:
    quiet = _text(replace(running("quiet"), written_at=NOW.wall - 70), width=62)
    assert "no metrics yet" in quiet
    assert "more" not in quiet
    holds = tuple({"check": "ram", "message": f"reason {number} of two that is long"} for number in range(2))
    assert "+1 more" in _text(queued("held", holds=holds), width=80)
