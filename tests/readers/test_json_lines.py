"""Printed JSON: progress, checkpoints, and unrelated objects."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.readers.events import CheckpointSaved, Progress, ReaderEvent
from backprop_tui.readers.json_lines import JsonLines


def _read(line: str) -> list[ReaderEvent]:
    return JsonLines().read(line, 9)


def _progress(line: str) -> Progress:
    (value,) = _read(line)
    assert isinstance(value, Progress)
    return value


def test_a_line_with_a_step_reports_every_other_number_as_a_metric() -> None:
    assert _read('{"step": 500, "loss": 0.015, "tokens": 12}') == [
        Progress(offset=9, step=500, metrics={"loss": 0.015, "tokens": 12.0})
    ]


def test_epoch_and_total_are_not_metrics() -> None:
    line = '{"step": 5, "epoch": 0.5, "max_steps": 100, "loss": 1}'
    assert _read(line) == [
        Progress(offset=9, step=5, epoch=0.5, epochs_done=0.5, total_steps=100, metrics={"loss": 1.0})
    ]


@pytest.mark.parametrize("key", ["total_steps", "max_steps", "totalSteps", "total"])
def test_the_total_has_several_names(key: str) -> None:
    assert _progress(f'{{"step": 5, "{key}": 100}}').total_steps == 100


def test_a_total_less_than_the_step_is_a_metric() -> None:
    assert _progress('{"step": 5, "total": 2.5}') == Progress(offset=9, step=5, metrics={"total": 2.5})
    assert _progress('{"step": 5, "total": 3}') == Progress(offset=9, step=5, metrics={"total": 3.0})


@pytest.mark.parametrize("key", ["step", "Step", "global_step", "globalStep", "iteration", "iter"])
def test_the_step_has_several_names(key: str) -> None:
    assert _progress(f'{{"{key}": 7}}').step == 7


def test_the_preferred_step_key_wins_and_the_other_stays_a_metric() -> None:
    assert _progress('{"iter": 7, "step": 70}') == Progress(offset=9, step=70, metrics={"iter": 7.0})


@pytest.mark.parametrize("printed", ["500", "500.0", '"500"', '"500.0"', "5e2"])
def test_a_step_may_be_printed_in_many_ways(printed: str) -> None:
    assert _progress(f'{{"step": {printed}, "loss": 1}}').step == 500


@pytest.mark.parametrize(
    "printed", ["-1", "0.5", "true", "null", '"build"', "NaN", "Infinity", "[3]", "1" * 400, str(2**53 + 2)]
)
def test_an_invalid_step_is_none(printed: str) -> None:
    assert _progress(f'{{"step": {printed}, "loss": 1}}') == Progress(offset=9, metrics={"loss": 1.0})
    assert _read(f'{{"step": {printed}, "port": 80}}') == []


@pytest.mark.parametrize("printed", ["NaN", '"nan"', '"NaN"'])
def test_nan_is_kept(printed: str) -> None:
    assert math.isnan(_progress(f'{{"step": 1, "loss": {printed}}}').metrics["loss"])


@pytest.mark.parametrize("printed", ["Infinity", '"inf"', '"Infinity"', "1e999"])
def test_infinity_is_kept(printed: str) -> None:
    assert _progress(f'{{"step": 1, "loss": {printed}}}').metrics["loss"] == math.inf
    assert _progress('{"step": 1, "loss": -Infinity}').metrics["loss"] == -math.inf


def test_numbers_printed_as_strings_are_metrics() -> None:
    line = '{"loss": "1.112", "learning_rate": "4e-05", "epoch": "0.625", "host": "a_1", "runtime": "1_000"}'
    assert _read(line) == [
        Progress(offset=9, epoch=0.625, epochs_done=0.625, metrics={"loss": 1.112, "learning_rate": 4e-05})
    ]


def test_a_value_that_is_not_a_number_is_not_a_metric() -> None:
    line = '{"step": 1, "done": true, "note": "x", "none": null, "inner": {"seed": 2}, "list": [3], "": 4}'
    assert _progress(line).metrics == {}
    assert _progress(f'{{"step": 1, "huge": {"9" * 400}}}').metrics == {}
    assert _progress('{"step": 1, "\\ud800": 1, "\\u009b": 2, "a\\u001b": 3}').metrics == {}


def test_the_last_of_duplicate_keys_wins() -> None:
    assert _progress('{"step": 1, "step": 2, "loss": 1, "loss": 3}') == Progress(
        offset=9, step=2, metrics={"loss": 3.0}
    )


def test_the_number_of_metrics_per_line_is_bounded() -> None:
    line = json.dumps({"step": 1, **{f"m{number}": number for number in range(5000)}, "long" * 100: 1})
    assert len(_progress(line).metrics) == 256


@pytest.mark.parametrize(
    "line",
    [
        '{"epoch": 3, "f1": 0.9}',
        '{"epoch": "3"}',
        '{"val_accuracy": 0.9}',
        '{"trainLoss": 0.9}',
        '{"eval/ppl": 9}',
        '{"Acc": 0.9}',
        ' {"loss": 1}\t',
        '\ufeff{"loss": 1}',
    ],
)
def test_an_object_alone_on_its_line_needs_a_step_an_epoch_or_a_training_metric(line: str) -> None:
    assert isinstance(_read(line)[0], Progress)


@pytest.mark.parametrize(
    "line",
    [
        '{"name": "x", "port": 80}',
        '{"lr": 0.001, "batch_size": 64, "max_steps": 1000, "total": 5, "grad_acc_steps": 4, "loss_weight": 2}',
        '{"epoch": 1700000000, "host": "db"}',
        '{"step": "build", "status": 0}',
        '{"stream": "Step 1/5 : FROM python"}',
        '{"loss": "mse"}',
        '{"": 1}',
        "{}",
        "[]",
        '{"config": {"step": 5, "loss": 1}}',
        '  "trainer": {"step": 5, "loss": 0.1},',
        '{"outer": {"step": 5, "loss": 0.1},',
        "{'step': 5, 'loss': 0.1}",
        '{"step": 5, "loss": 0.1',
        'loading {"epoch": 3, "seed": 1}',
        'INFO {"port": 80}',
    ],
)
def test_ordinary_lines_yield_nothing(line: str) -> None:
    assert _read(line) == []


@pytest.mark.parametrize("prefix", ["2025-01-01 INFO ", "[rank0]: ", "INFO:root:", "train | ", "{broken} ", "a: {b: "])
def test_an_object_after_a_prefix_needs_a_step_or_a_loss(prefix: str) -> None:
    assert _read(f'{prefix}{{"step": 1}}') == [Progress(offset=9, step=1)]
    assert _read(f'{prefix}{{"train_loss": 2}} trailing') == [Progress(offset=9, metrics={"train_loss": 2.0})]


def test_all_objects_on_a_line_are_read() -> None:
    assert _read('{"step": 1}{"step": 2} {"step": 3}') == [Progress(offset=9, step=step) for step in (1, 2, 3)]
    assert _read('{"step": 1, "lo{"step": 2, "loss": 3}') == [Progress(offset=9, step=2, metrics={"loss": 3.0})]


@pytest.mark.parametrize(
    "line",
    [
        '{"event": "checkpoint_saved", "path": "ckpt.pt", "step": 500}',
        '{"event": "checkpoint", "path": "ckpt.pt", "step": "500"}',
        '{"event": "checkpointSaved", "checkpointPath": "ckpt.pt", "globalStep": 500.0}',
        '{"type": "checkpoint", "checkpoint": "ckpt.pt", "iteration": 500, "size": 12, "seconds": 0.5}',
        '[rank0]: {"event": "saved-checkpoint", "file": "ckpt.pt", "step": 500}',
    ],
)
def test_a_checkpoint_may_be_announced_in_many_ways(line: str) -> None:
    assert _read(line) == [CheckpointSaved(offset=9, path="ckpt.pt", step=500)]


def test_a_checkpoint_may_have_no_step() -> None:
    assert _read('{"event": "checkpoint_saved", "path": "a b.pt"}') == [CheckpointSaved(offset=9, path="a b.pt")]
    assert _read('{"event": "checkpoint_saved", "path": "a", "step": -1}') == [CheckpointSaved(offset=9, path="a")]


def test_a_checkpoint_line_with_a_loss_is_progress_too() -> None:
    assert _read('{"event": "checkpoint_saved", "path": "a", "step": 5, "loss": 1}') == [
        CheckpointSaved(offset=9, path="a", step=5),
        Progress(offset=9, step=5, metrics={"loss": 1.0}),
    ]


@pytest.mark.parametrize(
    "path", ['""', '" "', "null", "5", '["a"]', '"a\\u0000"', '"\\u001b[2Ja"', '"\\ud800"', f'"{"a" * 5000}"']
)
def test_an_invalid_path_announces_no_checkpoint(path: str) -> None:
    assert _read(f'{{"event": "checkpoint_saved", "path": {path}}}') == []


@pytest.mark.parametrize("event", ["checkpoint_failed", "checkpoint_loaded", "saved", ""])
def test_other_events_announce_no_checkpoint(event: str) -> None:
    assert _read(f'{{"event": "{event}", "path": "ckpt.pt"}}') == []


@pytest.mark.parametrize("deep", ['{"step":' + "[" * 50_000, '{"a":' * 10_000, '{"step": ' + "9" * 5000 + "}"])
def test_json_that_python_cannot_parse_yields_nothing(deep: str) -> None:
    assert _read(deep) == []


KEYS = st.sampled_from(["step", "epoch", "total", "total_steps", "loss", "event", "path", "", "x"]) | st.text(
    max_size=8
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("checkpoint"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=5,
)


AROUND = st.just("") | st.text(max_size=5)


@given(AROUND, st.dictionaries(KEYS, VALUES, max_size=8), AROUND)
def test_any_object_is_accepted_and_steps_are_integers(before: str, fields: object, after: str) -> None:
    for value in _read(before + json.dumps(fields) + after):
        if isinstance(value, Progress | CheckpointSaved):
            assert value.step is None or value.step >= 0
        if isinstance(value, Progress):
            assert all(isinstance(figure, float) for figure in value.metrics.values())


@given(
    st.integers(0, 2**53),
    st.dictionaries(
        st.sampled_from(["loss", "lr", "val/acc", "größe"]), st.floats(allow_nan=False), min_size=1, max_size=4
    ),
)
def test_printed_values_are_read_unchanged(step: int, metrics: dict[str, float]) -> None:
    assert _read(json.dumps({"step": step, **metrics})) == [Progress(offset=9, step=step, metrics=metrics)]
