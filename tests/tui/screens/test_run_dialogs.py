"""The dialogs that stop, kill, remove and extend runs, driven by keys."""

from __future__ import annotations

import math

import pytest

from backprop_tui.domain.run import Checkpoint
from backprop_tui.tui.screens import questions
from backprop_tui.tui.screens.questions import Ask, stop_question
from backprop_tui.tui.widgets.line_widget import LineWidget
from tests.tui.screens.test_main import staged
from tests.tui.snapshots import NOW, running, snapshot

_KEYS = {"=": "equals_sign"}


async def test_stopping_asks_first_and_escape_does_nothing() -> None:
    async with staged() as stage:
        await stage.pilot.press("s")
        await stage.pilot.pause()
        assert isinstance(stage.pilot.app.screen, Ask)
        await stage.pilot.press("escape")
        await stage.pilot.pause()
        assert stage.commands.calls == []
        await stage.pilot.press("s")
        await stage.pilot.pause()
        await stage.pilot.press("enter")
        await stage.pilot.pause()
        assert stage.commands.calls == [("stop", "nano")]


async def test_stopping_can_wait_for_the_next_checkpoint() -> None:
    async with staged() as stage:
        await stage.pilot.press("s")
        await stage.pilot.pause()
        await stage.pilot.press("C")
        await stage.pilot.pause()
        assert stage.commands.calls == [("stop", "nano", "after_checkpoint")]


@pytest.mark.parametrize(
    ("keys", "minutes"),
    [("60", 70), ("2h", 130), ("1h30m", 100), ("=2h", 120), ("=none", math.inf), ("", 20), ("j", 40), ("jj", 70)],
)
async def test_a_timebox_is_extended_by_what_is_typed_or_marked(keys: str, minutes: float) -> None:
    async with staged() as stage:
        await stage.pilot.press("t", *(_KEYS.get(key, key) for key in keys), "enter")
        await stage.pilot.pause()
        assert stage.commands.calls == [("edit", "nano", {"max_run_seconds": 60 * minutes})]


async def test_a_timebox_is_removed_by_a_letter_as_long_as_nothing_is_typed() -> None:
    async with staged() as stage:
        await stage.pilot.press("t", "6", "n")
        await stage.pilot.pause()
        assert (
            "not a time such as 60, 2h or 1h30m" in stage.pilot.app.screen.query_one("#question", LineWidget).shown_text
        )
        await stage.pilot.press("enter")
        assert stage.commands.calls == []
        await stage.pilot.press("ctrl+u", "n")
        await stage.pilot.pause()
        assert stage.commands.calls == [("edit", "nano", {"max_run_seconds": math.inf})]


async def test_the_time_dialog_shows_the_limit_before_and_after() -> None:
    async with staged() as stage:
        await stage.pilot.press("t", "6", "0")
        await stage.pilot.pause()
        text = stage.pilot.app.screen.query_one("#question", LineWidget).shown_text
        assert "Its limit is 10m." in text
        assert "limit 1h10m" in text


async def test_a_run_without_a_limit_can_be_given_one_only_as_such() -> None:
    async with staged(snapshot(running("nano", spec={"max_run_seconds": None}))) as stage:
        await stage.pilot.press("t", "6", "0", "enter")
        await stage.pilot.pause()
        text = stage.pilot.app.screen.query_one("#question", LineWidget).shown_text
        assert "there is no limit to extend; =60 sets one" in text
        await stage.pilot.press("ctrl+u", "equals_sign", "6", "0", "enter")
        await stage.pilot.pause()
        assert stage.commands.calls == [("edit", "nano", {"max_run_seconds": 3600})]


async def test_stopping_a_waiting_run_takes_it_out_of_the_queue_and_says_so() -> None:
    async with staged() as stage:
        await stage.pilot.press("j", "j", "s")
        await stage.pilot.pause()
        question = stage.pilot.app.screen.query_one("#question", LineWidget).shown_text
        assert "Take wait-1 out of the queue?" in question
        assert "kill" not in question
        await stage.pilot.press("enter")
        await stage.pilot.pause()
        assert stage.commands.calls == [("stop", "wait-1")]


async def test_the_stop_dialog_says_what_is_saved_and_what_is_not() -> None:
    saved = Checkpoint(path="/out/ckpt_300.pt", step=300, saved_at=NOW.wall - 70)
    async with staged(snapshot(running("nano", step=1390, checkpoints=(saved,)))) as stage:
        await stage.pilot.press("s")
        await stage.pilot.pause()
        question = stage.pilot.app.screen.query_one("#question", LineWidget).shown_text
        assert "Saved: ckpt_300.pt, step 300, 1m ago." in question
        assert "The 1,090 steps since are lost" in question


async def test_the_stop_dialog_follows_what_is_saved_while_it_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "_UPDATE_SECONDS", 0.01)
    saves = [Checkpoint(path=f"/out/ckpt_{step}.pt", step=step, saved_at=NOW.wall - 70) for step in (300, 1380)]
    async with staged(snapshot(running("nano", step=1390, checkpoints=(saves[0],)))) as stage:
        await stage.pilot.press("s")
        await stage.pilot.pause()
        stage.main.take(snapshot(running("nano", step=1400, checkpoints=tuple(saves))))
        text = stage.pilot.app.screen.query_one("#question", LineWidget)
        while "The 20 steps since are lost" not in text.shown_text:
            await stage.pilot.pause(0.01)
        assert "Saved: ckpt_1380.pt, step 1,380" in text.shown_text


def test_the_stop_dialog_does_not_call_lost_what_the_log_says_is_saved() -> None:
    saved = Checkpoint(path="/out/ckpt_300.pt", step=300, saved_at=NOW.wall - 70)
    newer = Checkpoint(path="/out/ckpt_1380.pt", step=1380, saved_at=NOW.wall - 1, written=False)
    for checkpoints in ((newer,), (saved, newer)):
        question = stop_question([running("nano", step=1390, checkpoints=checkpoints)], "nano", snapshot())
        assert question.lines[-2:] == [
            "Announced by its log, not seen on disk yet: ckpt_1380.pt, step 1,380.",
            "The 10 steps since are lost unless it saves when it is stopped.",
        ]


@pytest.mark.parametrize(("key", "call"), [("S", ("stop", "nano", "now")), ("d", ("remove", "good"))])
async def test_irreversible_actions_ask_and_enter_is_harmless(key: str, call: tuple[str, ...]) -> None:
    async with staged() as stage:
        stage.runs.select(call[1])
        for answer in ("enter", "escape", "y"):
            assert stage.commands.calls == []
            await stage.pilot.press(key)
            await stage.pilot.pause()
            await stage.pilot.press(answer)
            await stage.pilot.pause()
        assert stage.commands.calls == [call]
