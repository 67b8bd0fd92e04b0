"""Each type of field of a record, there and back; what does not fit is refused with the name of its field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import pytest

from backprop_tui.store.codec import decode, encode, register, tagged
from backprop_tui.store.fields import WrongField


class Color(StrEnum):
    RED = "red"


@dataclass(frozen=True, kw_only=True)
class Inner:
    size: int
    label: str = "none"

    def __post_init__(self) -> None:
        """As one of a later version that does not accept what this one writes."""
        if self.label in ERRORS:
            raise ERRORS[self.label]


ERRORS: dict[str, Exception] = {
    error.__name__: error("odd") for error in (TypeError, ValueError, KeyError, AttributeError, OverflowError)
}
ERRORS["RecursionError"] = RecursionError("odd")


class Point(tuple[int, int]):
    """Written as text."""

    __slots__ = ()


class Unknown:
    """A type that nobody registered."""


@dataclass(frozen=True)
class Square:
    side: int


@dataclass(frozen=True)
class Circle:
    radius: float = 1.0


Shape = Square | Circle


@dataclass(frozen=True, kw_only=True)
class Record:
    name: str
    count: int | None = None
    created_at: float = 0.0
    ended_at: float | None = None
    since: float | None = None
    at: float = 0.0
    is_on: bool = False
    color: Color = Color.RED
    maybe_color: Color | None = None
    inner: Inner | None = None
    inners: tuple[Inner, ...] = ()
    words: tuple[str, ...] = ()
    pair: tuple[str, float] = ("", 0.0)
    by_name: Mapping[str, Inner] = field(default_factory=dict)
    limits: Mapping[str, int] | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    point: Point = Point((0, 0))  # noqa: RUF009 - a tuple
    shape: Shape = Square(1)
    either: int | str = 0
    anything: Any = None
    unknown: Unknown | None = None


register(Point, lambda value, key: Point(map(int, value.split(","))), lambda value: f"{value[0]},{value[1]}")
register(Shape, *tagged({Square: "square", Circle: "circle"}, "kind"))

FULL = Record(
    name="n",
    count=3,
    created_at=86_400.0,
    ended_at=86_401.5,
    since=2.0,
    at=3.0,
    is_on=True,
    maybe_color=Color.RED,
    inner=Inner(size=1),
    inners=(Inner(size=2, label="two"),),
    words=("a", "b"),
    pair=("p", 0.5),
    by_name={"x": Inner(size=3)},
    limits={"l": 7},
    metrics={"loss": float("inf")},
    point=Point((4, 5)),
    shape=Circle(2.0),
    either="e",
    anything=[1],
)
ENCODED = {
    "name": "n",
    "count": 3,
    "created_at": "1970-01-02T00:00:00.000Z",
    "ended_at": "1970-01-02T00:00:01.500Z",
    "since": 2.0,
    "at": 3.0,
    "is_on": True,
    "color": "red",
    "maybe_color": "red",
    "inner": {"size": 1, "label": "none"},
    "inners": [{"size": 2, "label": "two"}],
    "words": ["a", "b"],
    "pair": ["p", 0.5],
    "by_name": {"x": {"size": 3, "label": "none"}},
    "limits": {"l": 7},
    "metrics": {"loss": "Infinity"},
    "point": "4,5",
    "shape": {"kind": "circle", "radius": 2.0},
    "either": "e",
    "anything": [1],
    "unknown": None,
}


def test_every_type_of_field_there_and_back() -> None:
    assert encode(FULL) == ENCODED
    assert list(encode(FULL)) == list(ENCODED), "in the order of the fields"
    assert decode(Record, ENCODED) == FULL


def test_what_is_encoded_is_json_and_shares_nothing_with_the_record() -> None:
    encoded = encode(FULL)
    assert [type(encoded[key]) for key in ("words", "inners", "pair", "limits")] == [list, list, list, dict]
    encoded["limits"]["l"] = 8
    assert FULL.limits == {"l": 7}


def test_of_equal_parts_in_a_row_only_the_first_is_decoded() -> None:
    parts = [decode(Record, {"name": "n", "inner": {"size": size}}).inner for size in (1, 1, 2, 1)]
    assert parts == [Inner(size=1), Inner(size=1), Inner(size=2), Inner(size=1)]
    assert parts[0] is parts[1]
    with pytest.raises(WrongField):
        decode(Record, {"name": "n", "inner": {"size": "x"}})


def test_missing_fields_have_their_defaults_and_unknown_ones_are_ignored() -> None:
    assert decode(Record, {"name": "n", "of_a_later_version": 5}) == Record(name="n")
    assert decode(Record, encode(Record(name="n"))) == Record(name="n")


def test_nothing_is_an_empty_list_or_object_and_no_optional_part() -> None:
    values: dict[str, object] = {"inners": None, "words": None, "by_name": None, "limits": {}, "inner": {}}
    assert decode(Record, {"name": "n", **values}) == Record(name="n")
    assert decode(Record, {"name": "n", "maybe_color": None, "ended_at": None, "since": None}) == Record(name="n")


WRONG: list[tuple[dict[str, object], str]] = [
    ({}, "name must be a string"),
    ({"name": 5}, "name must be a string"),
    ({"count": "x"}, "count must be a number"),
    ({"created_at": "x"}, "created_at"),
    ({"ended_at": 5}, "ended_at must be a string"),
    ({"created_at": 5}, "created_at must be a string"),
    ({"at": None}, "at must be a number"),
    ({"at": 1e15}, "at must be a time"),
    ({"since": 1e15}, "since must be a time"),
    ({"color": "blue"}, "color: 'blue'"),
    ({"maybe_color": "blue"}, "maybe_color: 'blue'"),
    ({"inner": 5}, "inner must be an object"),
    ({"inner": {"label": "x"}}, "size must be a number"),
    ({"inners": 5}, "inners must be a list"),
    ({"inners": [5]}, "inners must be an object"),
    ({"words": [5]}, "words must be a string"),
    ({"pair": ["p"]}, "pair must hold lists of 2 values"),
    ({"pair": ["p", 1, 2]}, "pair must hold lists of 2 values"),
    ({"pair": 5}, "pair must hold lists of 2 values"),
    ({"pair": "pq"}, "pair must hold lists of 2 values"),
    ({"pair": [1, 1]}, "pair must be a string"),
    ({"by_name": []}, "by_name must be an object"),
    ({"by_name": {"x": {}}}, "size must be a number"),
    ({"limits": {"l": "x"}}, "limits must be a number"),
    ({"metrics": {"l": "x"}}, "metrics"),
    ({"point": "a,b"}, "Record: invalid literal"),
    ({"point": 5}, "Record: 'int' object has no attribute"),
    ({"shape": {"kind": "star"}}, "shape: kind 'star' is unknown to this version"),
    ({"shape": {"kind": 5}}, "kind must be a string"),
    ({"shape": {"kind": "square"}}, "side must be a number"),
    ({"shape": 5}, "shape must be an object"),
]
WRONG += [({"inner": {"size": 1, "label": name}}, "Inner: ") for name in ERRORS]


@pytest.mark.parametrize(("values", "message"), WRONG)
def test_what_does_not_fit_is_refused_with_the_name_of_its_field(values: dict[str, object], message: str) -> None:
    with pytest.raises(WrongField) as refusal:
        decode(Record, {"name": "n", **values} if values else {})
    assert str(refusal.value).startswith(message)


@dataclass(frozen=True, kw_only=True)
class Times:
    created_at: float = 0.0
    started_at: float | None = None
    ended_at: float | None = None
    saved_at: float | None = None
    at: float = 0.0
    since: float = 0.0
    time: float = 0.0
    not_before: float | None = None
    rate: float = 0.0
    share: float | None = None


def test_times_are_known_by_their_names() -> None:
    iso = ("created_at", "started_at", "ended_at", "saved_at")
    others = ("at", "since", "time", "not_before")
    times = decode(Times, {**dict.fromkeys(iso, "1970-01-01T00:00:01Z"), **dict.fromkeys(others, 1)})
    assert times == Times(**dict.fromkeys((*iso, *others), 1.0))
    assert [encode(times)[name] for name in iso] == ["1970-01-01T00:00:01.000Z"] * len(iso)
    for name in others:
        with pytest.raises(WrongField, match=f"{name} must be a time"):
            decode(Times, {name: 1e15})


@pytest.mark.parametrize("name", ["rate", "share"])
def test_a_number_is_checked(name: str) -> None:
    assert decode(Times, {name: 1}) == Times(**{name: 1.0})
    with pytest.raises(WrongField, match=f"{name} must be a number"):
        decode(Times, {name: "x"})


def test_a_flag_is_what_its_value_means() -> None:
    assert decode(Record, {"name": "n", "is_on": 5}).is_on is True
