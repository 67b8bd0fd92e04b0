"""The rows of the runs."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from typing import Any

import pytest

from backprop_tui.domain.causes.cause import cause_of_stop
from backprop_tui.domain.goals import parse_goal
from backprop_tui.domain.live import Pause, PostponedStop, Stopping
from backprop_tui.domain.objective import parse_objective
from backprop_tui.domain.resume_verdict import ResumeCheck, ResumeVerdict
from backprop_tui.domain.run import Cause, Checkpoint, SharedDirectory
from backprop_tui.domain.smoothed_curve import Extreme
from backprop_tui.domain.status import Status
from backprop_tui.presentation.compare import member_names
from backprop_tui.presentation.group_table import Standing, group_table
from backprop_tui.presentation.known_run import KnownRun, LossCurve
from backprop_tui.presentation.places import index_ranges
from backprop_tui.presentation.run_details import detail_sections
from backprop_tui.presentation.run_facts import with_labels
from backprop_tui.presentation.run_filter import RunFilter
from backprop_tui.presentation.run_line import Tone, run_line
from backprop_tui.presentation.states import is_problem
from backprop_tui.store.records import with_objective
from backprop_tui.tui.glyphs import ASCII, UNICODE
from backprop_tui.tui.lines import Token, text_of, width_of
from backprop_tui.tui.panes.history_table import draw_history_row, history_columns
from backprop_tui.tui.panes.run_list import MAX_ENDED, RunListOptions, RunRow, group_row, run_list_view
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


def _trial(run_id: str, arguments: str, *, name: str = "train", is_over: bool = False) -> KnownRun:
    run = ended(run_id, name=name) if is_over else running(run_id, name=name, step=5, total_steps=10)
    command = ["python", "train.py", *arguments.split()]
    return replace(run, record=run.record | {"command": command, "script": "train.py"})


def _names(*runs: KnownRun) -> list[str]:
    rows = run_list_view(snapshot(*with_labels(runs)), RunListOptions()).rows
    return [text_of(draw_run(row, run_columns(80), UNICODE, cursor=False))[14:31].rstrip() for row in rows]


def test_a_clipped_name_keeps_what_distinguishes_it_from_the_others() -> None:
    old = replace(ended("old", name="train"), record=ended("old", name="train").record | {"script": "train.py"})
    assert _names(*(_trial(seed, f"--lr 1e-2 --seed {seed}") for seed in ("13", "14", "15")), old)[:3] == [
        "train seed=13",
        "train seed=14",
        "train seed=15",
    ]
    rates = _names(_trial("a", "--lr 1e-2 --seed 1"), _trial("b", "--lr 1e-3 --seed 2"), old)
    assert rates[:2] == ["train lr=1e-2 s=1", "train lr=1e-3 s=2"]
    names = ("resnet50-imagenet-lr1e-3", "resnet50-imagenet-lr1e-4")
    assert _names(*(_trial(name, "", name=name) for name in names)) == ["resnet…net-lr1e-3", "resnet…net-lr1e-4"]
    assert _names(_trial("a", "--lr 1"), _trial("b", "--lr 2")) == ["train lr=1", "train lr=2"]
    sizes = [_trial(size, f"--batch-size {size}", is_over=True) for size in ("64", "128")]
    assert _names(*sizes) == ["train batch-s…=64", "train batch-…=128"]


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


def test_the_runs_stand_active_then_waiting_then_ended() -> None:
    runs = (running("a"), queued("b"), ended("c"))
    assert [row.run_id for row in run_list_view(snapshot(*runs), RunListOptions()).rows] == ["a", "b", "c"]


def test_a_group_stands_together_and_folds() -> None:
    runs = (running("a", group="sweep"), running("z"), queued("b", group="sweep"))
    rows = run_list_view(snapshot(*runs), RunListOptions()).rows
    assert [row.run_id for row in rows] == ["z", "group:sweep", "a", "b"]
    folded = run_list_view(snapshot(*runs), RunListOptions(folded={"sweep"})).rows
    assert [row.run_id for row in folded] == ["z", "group:sweep"]


def test_members_are_called_by_what_differs() -> None:
    assert member_names(["sweep:lr=1e-3,seed=1", "sweep:lr=1e-3,seed=2"]) == ["seed=1", "seed=2"]
    assert member_names(["sweep:lr=1e-3,seed=1", "sweep:lr=3e-4,seed=2"]) == ["lr=1e-3 seed=1", "lr=3e-4 seed=2"]
    assert member_names(["alpha", "alps"]) == ["alpha", "alps"]


def test_old_ends_are_folded_into_one_row() -> None:
    runs = [ended(f"r{number}", ago=90_000 + number) for number in range(9)]
    rows = run_list_view(snapshot(*runs), RunListOptions()).rows
    assert len(rows) == 6
    assert "4 older" in rows[-1].name
    assert len(run_list_view(snapshot(*runs), RunListOptions(older=True)).rows) == 9


def test_a_filter_narrows_by_expression_and_by_words() -> None:
    runs = (running("vit-b16", tags=("x",)), running("nano"), ended("vit-old", Status.FAILED))

    def shown(text: str) -> list[str]:
        return [row.run_id for row in run_list_view(snapshot(*runs), RunListOptions(filter=RunFilter.parse(text))).rows]

    assert shown("^vit") == ["vit-b16", "vit-old"]
    assert shown("state:failed") == ["vit-old"]
    assert shown("vit tag:x") == ["vit-b16"]
    assert shown("gpu:0") == ["vit-b16", "nano"]
    assert shown("[") == []


def test_gpus_are_named_in_few_letters() -> None:
    assert index_ranges([0]) == "0"
    assert index_ranges([2, 3]) == "2,3"
    assert index_ranges([0, 4, 5, 6, 7]) == "0,4-7"


def test_an_unseen_failure_is_bold_until_it_was_seen() -> None:
    run = ended("vit", Status.FAILED)
    assert _row(run).bold
    assert not run_list_view(snapshot(run), RunListOptions(seen={"vit"})).rows[0].bold


def test_a_clock_of_another_boot_stands_still() -> None:
    run = running("a", seconds=60)
    assert run.live is not None
    clock = replace(run.live.clock, boot_id="another", mark=0.0)
    assert _row(replace(run, live=replace(run.live, clock=clock))).left == "9m"


def test_a_summary_of_the_cause_is_what_the_row_says() -> None:
    cause = Cause(kind="python_error", evidence="my.Boom: x", summary="Boom: x")
    assert "Boom: x" in _text(ended("a", Status.FAILED, cause=cause))
    assert "my.Boom" not in _text(ended("a", Status.FAILED, cause=cause))


def test_what_a_person_stopped_is_no_problem() -> None:
    wished = cause_of_stop(by="person", reason="stopped by you", kind=None)
    guarded = cause_of_stop(by="heat", reason="GPU 0 at 91 C", kind="overheated")
    assert not is_problem(ended("a", Status.STOPPED, cause=wished))
    assert is_problem(ended("a", Status.STOPPED, cause=guarded))


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


def _member(run_id: str, last: float, best: float, *, metric: str = "loss") -> KnownRun:
    return ended(run_id, name=f"train:{run_id}", metrics={metric: last}, best={metric: Extreme(best, 1200)})


@pytest.mark.parametrize("width", [80, 87, 100, 120, 200])
def test_the_results_of_a_sweep_stand_below_each_other_while_a_member_runs(width: int) -> None:
    last = (0.5, 0.25, 0.125)  # of the second run it is the best one, too
    members = [_member(f"lr={rate}", value, 0.25, metric="loss") for rate, value in enumerate(last)]
    runs = [running("train:lr=9", step=1, total_steps=2), *members]
    runs = [replace(run, record=run.record | {"group": "sweep", "step": 1200}) for run in runs]
    view = run_list_view(snapshot(*runs), RunListOptions())
    lines = [text_of(draw_run(row, run_columns(width), UNICODE, cursor=False)) for row in view.rows[2:]]
    assert len({line.index("best loss 0.2500") for line in lines}) == 1
    heading = runs_heading(view, run_columns(width), UNICODE, focused=False)
    end = next(head.at for head in heading.heads if head.key == "loss") + 4
    assert [line[end - 6 : end] for line in lines] == ["0.5000", "0.2500", "0.1250"]


def test_the_best_it_ever_was_counts_and_not_the_last() -> None:
    unit = (_member("lr=1", 0.5, 0.25), _member("lr=2", 0.4, 0.4))
    facts = group_row("sweep", unit, folded=False).group
    assert facts is not None
    assert (facts.best, facts.best_name) == ("loss 0.2500", "lr=1")


def _best_of(*members: KnownRun) -> tuple[str, str]:
    facts = group_row("sweep", members, folded=False).group
    assert facts is not None
    return facts.best, facts.best_name


def test_the_best_of_runs_that_have_not_ended_is_so_far() -> None:
    begun = running("a", name="train:lr=1", metrics={"val_loss": 0.5}, best={"val_loss": Extreme(0.25, 20)})
    assert _best_of(begun)[0] == "so far val_loss 0.2500"


def test_the_most_of_a_reward_is_the_best() -> None:
    low, high = _member("a", 0.5, 0.6, metric="ep_rew_mean"), _member("b", 0.6, 0.7, metric="ep_rew_mean")
    assert _best_of(low, high) == ("ep_rew_mean 0.7000", "b")
    assert _best_of(ended("none")) == ("", "")


def test_no_run_is_called_the_best_if_the_direction_is_unknown() -> None:
    assert _best_of(ended("a", metrics={"score": 1.0}), ended("b", metrics={"score": 2.0})) == ("", "")


def test_an_older_record_has_no_best_training_loss() -> None:
    def older(run: KnownRun) -> KnownRun:
        earlier = {name: value for name, value in run.record.items() if name != "objective"}
        return KnownRun(record=with_objective(earlier))

    members = [older(_member("a", 0.5, 0.1)), older(_member("b", 0.4, 0.3))]
    assert _best_of(*members) == ("", "")
    validated = [older(_member("a", 0.5, 0.1, metric="val_loss")), older(_member("b", 0.4, 0.3, metric="val_loss"))]
    assert _best_of(*validated) == ("val_loss 0.1000", "a")


def test_an_ended_run_shows_its_best_value_and_the_step() -> None:
    sentence = run_line(_member("a", 0.4127, 0.4098), NOW)
    assert sentence is not None
    assert sentence.clauses[:2] == ("loss 0.4127", "smoothed best loss 0.4098 at 1,200")
    same = run_line(_member("a", 0.4127, 0.4127), NOW)
    assert same is not None
    assert "best" not in " ".join(same.clauses)


def test_a_group_counts_its_old_runs_too_where_they_are_folded_away() -> None:
    runs = [ended(f"r{place}", ago=60.0 + place, group="sweep", name=f"sweep:a={place}") for place in range(200)]
    rows = run_list_view(snapshot(*runs), RunListOptions()).rows
    assert rows[0].group is not None
    assert rows[0].group.size == 200
    assert len(rows) == 1 + MAX_ENDED + 1
    assert rows[-1].name == "150 older, a shows them"


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


def test_a_sentence_without_room_behind_the_figures_takes_their_place() -> None:
    run = _member("lr=1", 0.7127, 0.7082, metric="val_loss")
    assert "loss 0.7127 · best val_loss 0.7082 at 1,200" in _text(run, 100)
    behind = _text(run, 160)
    assert "best val_loss 0.7082 at 1,200" in behind
    assert "loss 0.7127" not in behind
    assert "best" not in _text(run, 80)


def test_runs_that_share_the_best_value_are_counted() -> None:
    same = [_member(name, 0.5, 0.25) for name in "ab"]
    failed = ended("d", Status.FAILED, metrics={"loss": 0.5}, best={"loss": Extreme(0.25, 1200)})
    assert _best_of(*same, _member("c", 0.5, 0.3), failed) == ("loss 0.2500 (2 tied)", "")


def test_a_group_says_how_many_of_its_runs_match_the_filter() -> None:
    runs = [queued("q", group="sweep"), *(ended(f"r{place}", group="sweep") for place in range(3)), ended("other")]
    for text, counts in (("", "4 runs  "), ("r", "4 runs, 3 shown  ")):
        view = run_list_view(snapshot(*runs), RunListOptions(filter=RunFilter.parse(text and "done")))
        row = next(row for row in view.rows if row.group is not None)
        assert f" {counts}" in text_of(draw_run(row, run_columns(120), UNICODE, cursor=False))


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


def test_the_name_has_the_cells_of_a_column_of_gpus_that_no_run_fills() -> None:
    bare = replace(running("a"), record={**running("a").record, "gpus": None})
    assert run_list_view(snapshot(bare), RunListOptions()).gpu_cells == 0
    assert run_list_view(snapshot(bare, queued("b")), RunListOptions()).gpu_cells > 0
    for width in (80, 120, 200):
        wide, usual = run_columns(width, gpu=0), run_columns(width)
        assert wide.name == usual.name + usual.gpu
        assert (wide.gpu, wide.progress_at) == (0, usual.progress_at)
        assert "gpu" not in [head.key for head in column_heads(wide, None, UNICODE)]
