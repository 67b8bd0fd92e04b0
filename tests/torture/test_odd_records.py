"""Each field of a record in turn missing or of another kind: it is refused as broken, or everything works with it."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from backprop_tui.domain.errors import BrokenRecord
from backprop_tui.domain.lifecycle import Outcome, finish_attempt, merge_live, timebox_seconds
from backprop_tui.domain.live import Live
from backprop_tui.domain.requests import EditRequest, TimeboxRequest
from backprop_tui.domain.run import Ended, Run, Running
from backprop_tui.domain.run_changes import apply_edit, sort_queue, with_timebox
from backprop_tui.domain.status import Status
from backprop_tui.engine.capacity import active_of
from backprop_tui.presentation.known_run import KnownRun, Moment
from backprop_tui.presentation.run_details import detail_sections
from backprop_tui.presentation.run_facts import with_labels
from backprop_tui.presentation.run_fields import all_columns, field_of
from backprop_tui.presentation.run_line import following_line, run_line
from backprop_tui.store.codec import decode, encode
from backprop_tui.store.fields import JsonObject, WrongField
from backprop_tui.store.files import dump
from backprop_tui.store.public_shape import checked
from backprop_tui.store.records import decode_request, decode_run, encode_request, encode_run, public
from tests.store.test_records import full_run, live
from tests.torture.mutations import VALUES, places

FEW_ROUNDS, SAMPLE = 100, 4
Odd = Callable[[JsonObject], Iterator[tuple[str, JsonObject]]]
FOLDER = "/runs/r1"
MOMENT = Moment(wall=1_800_000_000.0, monotonic=1000.0, boot_id="b")


@pytest.fixture
def odd(pytestconfig: pytest.Config) -> Odd:
    """Documents with one value missing or another; in CI some of them, in long runs each place with each value."""
    rounds, seed = pytestconfig.getoption("--rounds") or FEW_ROUNDS, pytestconfig.getoption("--seed")
    return lambda document: _odd(document, None if rounds > FEW_ROUNDS else random.Random(seed))


def _odd(document: JsonObject, choice: random.Random | None) -> Iterator[tuple[str, JsonObject]]:
    for number, (_, _, where) in enumerate(places(document)):
        values = (..., *VALUES)
        for value in values if choice is None else choice.sample(values, SAMPLE):
            changed = copy.deepcopy(document)
            container, key, _ = list(places(changed))[number]
            if value is ...:
                del container[key]
            else:
                container[key] = value
            yield f"{where} = {'missing' if value is ... else repr(value)[:60]}", changed


def exercise(run: Run, live_record: Live | None) -> None:
    """What supervisor, guardian and front ends do with a record that was read."""
    merged = merge_live(run, live_record)
    dump(encode_run(merged, FOLDER))
    record = public(run, FOLDER, live=live_record)
    assert checked(run.id, json.loads(dump(record))) is not None
    timebox_seconds(run), sort_queue([run, run]), with_timebox(run, TimeboxRequest(max_run_seconds=5.0))
    if run.attempts:
        active_of(run, live_record, MOMENT.wall)
    if isinstance(run.state, Running):
        outcome = Outcome(status=Status.FAILED, exit_code=1)
        dump(encode_run(finish_attempt(merged, outcome, now=MOMENT.wall, resume_from=None), FOLDER))
    show(KnownRun(record=record, run=run, live=live_record))


def show(known: KnownRun) -> None:
    """What front ends show of it."""
    list(detail_sections(known, MOMENT)), run_line(known, MOMENT), with_labels([known, known])
    for key in all_columns([known]):
        column = field_of(key)
        if column is not None:
            column.value(known, MOMENT), column.text(known, MOMENT)
    if known.run is not None:
        following_line([(known.run, known.live)], MOMENT)


def ended_run() -> Run:
    run = full_run()
    attempt = replace(run.attempt, ended_at=MOMENT.wall, status=Status.FAILED, exit_code=1)
    return run.with_attempt(attempt).to(Ended(at=MOMENT.wall, status=Status.FAILED, exit_code=1, reason="r"))


@pytest.mark.parametrize("make", [full_run, ended_run])
def test_a_record_is_refused_or_everything_works_with_it(odd: Odd, make: Any) -> None:
    for what, document in odd(json.loads(dump(encode_run(make(), FOLDER)))):
        try:
            run = decode_run("run.json", document)
        except BrokenRecord:
            continue
        if run.id != "r1":
            continue  # refused, as it is not the name of its directory
        try:
            exercise(run, live())
        except Exception as error:
            raise AssertionError(what) from error


def test_a_live_record_is_refused_or_everything_works_with_it(odd: Odd) -> None:
    for what, document in odd(json.loads(dump(encode(live())))):
        try:
            live_record = decode(Live, document)
        except WrongField:
            continue
        try:
            exercise(full_run(), live_record)
        except Exception as error:
            raise AssertionError(what) from error


def test_an_indexed_record_is_refused_or_can_be_shown(odd: Odd) -> None:
    for what, document in odd(json.loads(dump(public(ended_run(), FOLDER)))):
        try:
            record = checked("r1", document)
        except WrongField:
            continue
        try:
            show(KnownRun(record=record))
        except Exception as error:
            raise AssertionError(what) from error


def test_a_request_is_skipped_or_can_be_carried_out(odd: Odd) -> None:
    request = EditRequest(name="n", tags=("a",), note="n", priority=3, baseline=True)
    for what, document in odd(json.loads(encode_request(request))):
        asked = decode_request(json.dumps(document).encode())
        try:
            if isinstance(asked, EditRequest):
                exercise(apply_edit(full_run(), asked), None)
        except Exception as error:
            raise AssertionError(what) from error
