"""Lazy dataclasses behave like the standard library's frozen slotted dataclasses."""

from __future__ import annotations

import copy
import dataclasses
import math
import pickle
import pprint
from dataclasses import FrozenInstanceError, asdict, field, fields, replace
from typing import Any

import pytest

from backprop_tui.domain.lazy_dataclass import UNCOMPILED, compile_inits, lazy_dataclass


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Every kind of field."""

    name: str
    celsius: float | None = None
    notes: dict[str, int] = field(default_factory=dict)
    read_at: float = field(default=0.0, compare=False)


@lazy_dataclass(frozen=True, slots=True)
class Pair:
    """By position."""

    left: int
    right: int = 2


@lazy_dataclass(frozen=True, slots=True)
class Single:
    """A single field."""

    value: float


@lazy_dataclass(frozen=True, slots=True)
class Nothing:
    """No field."""


def test_fields_are_given_by_name_or_by_their_defaults() -> None:
    reading = Reading(name="GPU 0", celsius=71.0)
    assert (reading.name, reading.celsius, reading.notes, reading.read_at) == ("GPU 0", 71.0, {}, 0.0)
    assert Reading(name="a").notes is not Reading(name="b").notes
    assert (Pair(1).right, Pair(1, 3).right, Pair(left=4).left) == (2, 3, 4)


@pytest.mark.parametrize(("values", "wrong"), [((), {}), ((), {"left": 1, "color": 1}), ((1,), {"left": 1})])
def test_wrong_fields_are_rejected(values: tuple[int, ...], wrong: dict[str, Any]) -> None:
    for _ in range(2):  # the first one compiles __init__
        with pytest.raises(TypeError):
            Pair(*values, **wrong)
    with pytest.raises(TypeError):
        Pair(1, 2, 3)  # type: ignore[call-arg]


def test_all_instances_are_equal_whether_init_was_compiled_before_them_or_not() -> None:
    @lazy_dataclass(frozen=True, slots=True)
    class Mixed:
        first: int
        second: str = "x"
        third: list[int] = field(default_factory=list)

    uncompiled = Mixed.__init__
    mixed = [Mixed(1, third=[2]) for _ in range(UNCOMPILED)]
    assert Mixed.__init__ is uncompiled
    mixed.append(Mixed(1, third=[2]))
    assert Mixed.__init__ is not uncompiled
    assert all(instance == mixed[-1] for instance in mixed)
    assert mixed[0].second == "x"


def test_a_derived_class_has_the_fields_of_both() -> None:
    @lazy_dataclass(frozen=True, slots=True, kw_only=True)
    class Base:
        width: int = 1
        height: int

        def area(self) -> int:
            return self.width * self.height

    @lazy_dataclass(frozen=True, slots=True, kw_only=True)
    class Derived(Base):
        depth: int = 3
        width: int = 2

    for _ in range(UNCOMPILED + 1):
        assert (Derived(height=5).area(), Derived(height=5).depth, Base(height=5).area()) == (10, 3, 5)
    assert [declared.name for declared in fields(Derived)] == ["width", "height", "depth"]
    assert not hasattr(Derived(height=5), "__dict__")


def test_the_fields_of_a_class_are_determined_when_something_asks_for_them() -> None:
    @lazy_dataclass(frozen=True, slots=True)
    class Late:
        value: list[int] = field(default_factory=list)

    assert not isinstance(vars(Late)["__dataclass_fields__"], dict)
    assert [declared.name for declared in fields(Late)] == ["value"]
    assert isinstance(vars(Late)["__dataclass_fields__"], dict)


def test_keyword_fields_are_not_positional() -> None:
    with pytest.raises(TypeError):
        Reading("GPU 0")  # type: ignore[call-arg]


def test_equality_and_hash_follow_the_compared_fields() -> None:
    assert Pair(1, 2) == Pair(1)
    assert Pair(1, 2) != Pair(2, 1)
    other: object = (1, 2)
    assert Pair(1, 2) != other
    assert {Pair(1), Pair(1, 2)} == {Pair(1)}
    assert Reading(name="a", read_at=1.0) == Reading(name="a", read_at=2.0)
    assert Nothing() == Nothing()
    assert Single(math.nan) == Single(math.nan)  # one and the same object, as in a tuple
    assert hash(Single(1.0)) == hash((1.0,))


def test_frozen_values_cannot_be_changed() -> None:
    pair = Pair(1)
    with pytest.raises(FrozenInstanceError, match="Pair is frozen: its field 'left'"):
        pair.left = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        pair.other = 2  # type: ignore[attr-defined]
    with pytest.raises(FrozenInstanceError):
        del pair.left
    assert not hasattr(pair, "__dict__")


def test_the_standard_librarys_functions_support_it() -> None:
    assert replace(Pair(1), right=5) == Pair(1, 5)
    assert asdict(Reading(name="a")) == {"name": "a", "celsius": None, "notes": {}, "read_at": 0.0}
    assert [declared.name for declared in fields(Pair)] == ["left", "right"]
    assert dataclasses.is_dataclass(Pair)
    assert pprint.pformat(Pair(1)) == repr(Pair(1))
    match Pair(1, 7):
        case Pair(left, right):
            assert (left, right) == (1, 7)


def test_str_is_the_notation_of_the_option() -> None:
    assert repr(Pair(1)) == "Pair(left=1, right=2)"
    assert repr(Nothing()) == "Nothing()"


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda instance: pickle.loads(pickle.dumps(instance))])
def test_a_copy_is_equal(copied: Any) -> None:
    reading = Reading(name="a", celsius=3.0, notes={"b": 1})
    assert copied(reading) == reading


def test_a_method_of_the_class_itself_stays() -> None:
    @lazy_dataclass(frozen=True, slots=True)
    class Named:
        name: str

        def __repr__(self) -> str:
            return f"<{self.name}>"

    assert repr(Named("a")) == "<a>"


def test_mutable_dataclasses_stay_mutable() -> None:
    @lazy_dataclass(slots=True)
    class Standing:
        row: int = 0

    standing = Standing()
    standing.row = 3
    assert standing == Standing(3)
    with pytest.raises(TypeError, match="unhashable"):
        hash(standing)


def test_a_prepared_class_has_its_init_compiled() -> None:
    @lazy_dataclass(frozen=True, slots=True)
    class Fresh:
        value: int

    later = Fresh.__init__
    compile_inits()
    prepared = Fresh.__init__
    assert Fresh(1) == Fresh(value=1)
    assert Fresh.__init__ is prepared
    assert prepared is not later
