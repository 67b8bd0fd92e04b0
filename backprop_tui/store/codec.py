"""Converts frozen dataclasses to JSON objects and back, guided by their fields and type hints.

Unknown keys are ignored and missing ones take the field's default, so that records of other versions can be read.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from enum import Enum
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin

from backprop_tui.domain.formatting import iso
from backprop_tui.store.fields import (
    JsonObject,
    WrongField,
    decode_metrics,
    encode_metrics,
    integer,
    items,
    moment,
    nested,
    number,
    text,
    time,
)

Decode = Callable[[Any, str], Any]  # of the value and the key it has, for messages; raises WrongField
Encode = Callable[[Any], Any]
Converter = tuple[Decode, Encode | None]  # None: the value is written as it is

ISO_TIMES = frozenset({"created_at", "started_at", "ended_at", "saved_at"})  # written as ISO 8601, others as seconds
TIMES = frozenset({"at", "since", "time", "not_before"})

ValueT = TypeVar("ValueT")


def encode(value: object) -> JsonObject:
    """Returns a dataclass as a JSON object, in the order of its fields."""
    return {
        name: getattr(value, name) if encode_field is None else encode_field(getattr(value, name))
        for name, _, encode_field, _ in _plan(type(value))
    }


def decode(cls: type[ValueT], source: Mapping[str, Any]) -> ValueT:
    """The inverse of `encode`. Raises: WrongField, whatever the source holds."""
    try:
        values = {}
        for name, decode_field, _, is_required in _plan(cls):
            value = source.get(name, MISSING)
            if value is not MISSING:
                values[name] = decode_field(value, name)
            elif is_required:
                values[name] = decode_field(None, name)
        return cls(**values)
    except WrongField:
        raise
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise WrongField(f"{cls.__name__}: {error}") from error


def register(hint: object, decode_value: Decode, encode_value: Encode) -> None:
    """Sets how fields with this type hint are converted."""
    _converters[hint] = decode_value, encode_value


def tagged(tags: Mapping[type[Any], str], key: str) -> tuple[Decode, Encode]:
    """Converts a union of dataclasses, each of which has a fixed tag under `key`."""
    classes = {tag: cls for cls, tag in tags.items()}

    def decode_tagged(value: object, name: str) -> Any:  # noqa: ANN401 - one of the classes
        source = nested(value, name)
        cls = classes.get(text(source.get(key), key))
        if cls is None:
            raise WrongField(f"{name}: {key} {source[key]!r} is unknown to this version")
        return decode(cls, source)

    return decode_tagged, lambda value: {key: tags[type(value)], **encode(value)}


_Plan = tuple[tuple[str, Decode, Encode | None, bool], ...]
_plans: dict[type, _Plan] = {}


def _plan(cls: type[Any]) -> _Plan:
    """Name, decoder, encoder, and whether it is required, of each field; made when a class is first used."""
    plan = _plans.get(cls)
    if plan is None:
        namespace = vars(sys.modules[cls.__module__])
        plan = _plans[cls] = tuple(
            (
                field.name,
                *_field_converter(field.name, str(field.type), namespace),
                field.default is MISSING and field.default_factory is MISSING,
            )
            for field in fields(cls)
        )
    return plan


def _field_converter(name: str, annotation: str, namespace: dict[str, Any]) -> Converter:
    if name in ISO_TIMES:
        return (_optional(time) if annotation.endswith("| None") else time), iso
    if name in TIMES:
        return (_optional(moment) if annotation.endswith("| None") else moment), None
    # Most annotations are one of these few; typing.get_type_hints() compiles each of them, which takes a millisecond.
    return _SIMPLE.get(annotation) or _converter(eval(annotation, namespace))  # noqa: S307 - of our own classes


def _converter(hint: Any) -> Converter:  # noqa: ANN401 - a type or an alias
    if hint in _converters:
        return _converters[hint]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is UnionType:
        return _union(arguments)
    if origin is tuple:
        return _tuple(arguments)
    if _is_dataclass(hint):
        return _part(hint), encode
    if isinstance(hint, type) and issubclass(hint, Enum):
        return lambda value, key: _member(hint, value, key), None
    if origin is Mapping:
        return _mapping(arguments)
    return _SIMPLE.get(getattr(hint, "__name__", ""), (_unchecked, None))


def _part(cls: type[Any]) -> Decode:
    """Of equal parts in a row only the first is decoded: most runs of a sweep have the same limits and environment."""
    last: tuple[JsonObject, Any] | None = None

    def decode_part(value: object, key: str) -> Any:  # noqa: ANN401 - an instance of the class
        nonlocal last
        source, known = nested(value, key), last
        if known is None or known[0] != source:
            last = known = source, decode(cls, source)
        return known[1]

    return decode_part


def _is_dataclass(hint: object) -> bool:
    """As `dataclasses.is_dataclass`, which determines the fields of a class for that."""
    return isinstance(hint, type) and "__dataclass_fields__" in vars(hint)


def _union(arguments: tuple[Any, ...]) -> Converter:
    """`X | None`; another union is not checked."""
    members = [member for member in arguments if member is not type(None)]
    if len(members) != 1:
        return _unchecked, None
    decode_value, encode_value = _converter(members[0])
    if _is_dataclass(members[0]) or get_origin(members[0]) is Mapping:
        decode_value = _optional(decode_value, is_empty=lambda value: not value)
    else:
        decode_value = _optional(decode_value)
    if encode_value is None:
        return decode_value, None
    return decode_value, lambda value: None if value is None else encode_value(value)


def _tuple(arguments: tuple[Any, ...]) -> Converter:
    """`tuple[X, ...]`, or a tuple of fixed length."""
    if arguments[-1] is Ellipsis:
        decode_item, encode_item = _converter(arguments[0])
        return (
            lambda value, key: tuple([decode_item(item, key) for item in items(value, key)]),
            lambda value: list(value) if encode_item is None else [encode_item(item) for item in value],
        )
    decoders = [_converter(argument)[0] for argument in arguments]

    def decode_fixed(value: object, key: str) -> tuple[Any, ...]:
        if not isinstance(value, list) or len(value) != len(decoders):
            raise WrongField(f"{key} must hold lists of {len(decoders)} values, not {value!r}")
        return tuple([decode_item(item, key) for decode_item, item in zip(decoders, value, strict=True)])

    return decode_fixed, list


def _mapping(arguments: tuple[Any, ...]) -> Converter:
    decode_item, encode_item = _converter(arguments[1])
    return (
        lambda value, key: {name: decode_item(item, key) for name, item in nested(value, key).items()},
        lambda value: dict(value) if encode_item is None else {name: encode_item(item) for name, item in value.items()},
    )


def _member(cls: type[Enum], value: object, key: str) -> Enum:
    try:
        return cls(value)
    except ValueError as error:
        raise WrongField(f"{key}: {error}") from error


def _optional(decode_value: Decode, is_empty: Callable[[Any], bool] = lambda value: value is None) -> Decode:
    return lambda value, key: None if is_empty(value) else decode_value(value, key)


def _unchecked(value: object, _key: str) -> object:
    return value


def _flag(value: object, _key: str) -> bool:
    return bool(value)


_REQUIRED: dict[str, Decode] = {"str": text, "int": integer, "float": number, "bool": _flag}
_SIMPLE: dict[str, Converter] = {
    **{name: (decode_value, None) for name, decode_value in _REQUIRED.items()},
    **{f"{name} | None": (_optional(decode_value), None) for name, decode_value in _REQUIRED.items()},
}
_converters: dict[object, Converter] = {Mapping[str, float]: (decode_metrics, encode_metrics)}
