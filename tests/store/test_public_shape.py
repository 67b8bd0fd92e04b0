"""The shape of public JSON: what this version writes has it, and any other value is refused or completed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backprop_tui.store.fields import WrongField
from backprop_tui.store.public_shape import checked
from backprop_tui.store.records import public
from tests.store.test_records import full_run

RECORD: dict[str, Any] = json.loads(json.dumps(public(full_run(), "/runs/r1")))
HOSTILE: tuple[Any, ...] = (5, -(10**400), "x", "..", [5], {"a": 5}, [{}], 10**400, float("nan"), True, None)


def test_what_this_version_writes_is_accepted_as_it_is() -> None:
    assert checked("r1", RECORD) == RECORD


@pytest.mark.parametrize("key", sorted(RECORD))
def test_every_field_has_a_shape(key: str) -> None:
    refused = 0
    for value in HOSTILE:
        try:
            checked("r1", RECORD | {key: value})
        except WrongField:
            refused += 1
    assert refused >= len(HOSTILE) - 4, key


@pytest.mark.parametrize("key", sorted(RECORD.keys() - {"id", "status"}))
def test_a_missing_field_is_filled_in(key: str) -> None:
    record = {name: value for name, value in RECORD.items() if name != key}
    assert checked("r1", record).keys() == RECORD.keys()


@pytest.mark.parametrize("key", ["..", "", ".x", "a/b", "a\0b"])
def test_an_id_that_could_leave_the_store_is_refused(key: str) -> None:
    with pytest.raises(WrongField):
        checked(key, RECORD | {"id": key})
