"""What trainers print, in forms.txt: of each line every figure that it holds, and of settings and other output nothing.

A section is a log, followed by the events that are read from it, in order. `reads:` lines are no part of the log.
"""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from backprop_tui.readers.events import MergedEvent
from backprop_tui.readers.log_reader import LogReader

READS = "reads: "
PREFIXES = (
    "2024-01-01 12:00:00,123 - root - INFO - ",
    "[rank0]:",
    "[default0]:",
    "(train_fn pid=123) ",
    "trainer-1  | ",
    "I0301 12:00:00.123456 140713433742208 train.py:172] ",
    "2024-01-01 12:00:00.123 | INFO     | __main__:main:12 - ",
    "\x1b[32m[2024-01-01 12:00:00,123]\x1b[0m ",
    "2024-01-01T12:00:00.123456789Z ",
)


def _sections() -> dict[str, tuple[str, list[dict[str, Any]]]]:
    text = (Path(__file__).parent / "forms.txt").read_text(encoding="utf-8")
    sections = {}
    for section in text.removeprefix("## ").split("\n## "):
        name, *lines = section.rstrip("\n").split("\n")
        log = [line for line in lines if not line.startswith(READS)]
        events = [json.loads(line.removeprefix(READS)) for line in lines if line.startswith(READS)]
        sections[name] = ("\n".join(log) + "\n", events)
    return sections


SECTIONS = _sections()


def read(log: str) -> list[dict[str, Any]]:
    reader = LogReader()
    return [_fields(event) for event in [*reader.feed(log.encode()), *reader.finish()]]


def _fields(event: MergedEvent) -> dict[str, Any]:
    values = {
        field.name: getattr(event, field.name) for field in fields(event) if field.name not in ("offset", "epochs_done")
    }
    return {name: value for name, value in values.items() if value is not None and value != {}}


@pytest.mark.parametrize("name", SECTIONS)
def test_all_figures_of_a_form_are_read_and_nothing_else(name: str) -> None:
    log, events = SECTIONS[name]
    assert read(log) == events


def test_there_are_many_forms_of_both_kinds() -> None:
    silent = [name for name, (_, events) in SECTIONS.items() if not events]
    assert len(silent) >= 9
    assert len(SECTIONS) - len(silent) >= 45


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(
    "message",
    [
        "step 10: loss=0.5 acc=0.25",
        "epoch 3, train_loss: 0.5, val_loss: 0.25",
        "[1/2][124/125] Loss_D: 0.3879 Loss_G: 1.5062",
        "iter 100: loss 3.1234, time 123.45ms",
        "Epoch: [0]  [ 10/ 75]  lr: 0.0001  loss: 1.2345 (1.3000)",
        "[40]\ttrain's auc: 1\tvalid's auc: 0.996844",
    ],
)
def test_prefixes_of_loggers_and_launchers_are_set_aside(prefix: str, message: str) -> None:
    assert read(f"{prefix}{message}\n") == read(f"{message}\n") != []


def test_a_setting_among_settings_is_no_result_but_a_summary_after_the_training_is() -> None:
    assert read("seed: 1\naccuracy: 0.95\n") == []
    assert read("step 10: loss=0.5\nval_accuracy: 0.95\n")[-1] == {"step": 10, "metrics": {"val_accuracy": 0.95}}


def test_the_block_after_a_rule_is_a_summary_only_once_a_training_was_seen() -> None:
    block = "---\nval_bpb: 0.9979\ntraining_seconds: 300.1\nseed: 7\n"
    assert read(block)[1:] == []
    assert [event["metrics"] for event in read("step 9 | loss: 2.5\n" + block)] == [
        {"loss": 2.5},
        {"val_bpb": 0.9979},
        {"training_seconds": 300.1},
    ]


def test_steps_that_go_on_from_epoch_to_epoch_are_not_added_up() -> None:
    lines = [
        f"Epoch[{epoch}/3] Iteration[{4 * (epoch - 1) + done}/12] Loss: 0.5{epoch}{done}"
        for epoch in (1, 2, 3)
        for done in (2, 4)
    ]
    assert [event["step"] for event in read("\n".join(lines) + "\n")] == [2, 4, 6, 8, 10, 12]


def test_a_reader_may_die_within_a_table() -> None:
    log = SECTIONS["spinning up"][0].encode() + SECTIONS["spacy"][0].encode()
    whole = LogReader().feed(log)
    died, before = LogReader(), []
    for cut in range(len(log)):
        before += died.feed(log[max(0, cut - 1) : cut])
        after = LogReader(died.offset, memory=json.loads(json.dumps(died.memory())))
        assert before + after.feed(log[died.offset :]) == whole, cut


@pytest.mark.parametrize("name", SECTIONS)
def test_a_reader_may_die_behind_any_line(name: str) -> None:
    log = SECTIONS[name][0].encode()
    whole = LogReader()
    expected = [*whole.feed(log), *whole.finish()]
    end = 0
    while (end := log.find(b"\n", end) + 1) > 0:
        died = LogReader()
        before = died.feed(log[:end])
        after = LogReader(died.offset, memory=json.loads(json.dumps(died.memory())))
        assert [*before, *after.feed(log[died.offset :]), *after.finish()] == expected, end
