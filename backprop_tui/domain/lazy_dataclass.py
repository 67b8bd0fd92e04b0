"""A replacement for `dataclasses.dataclass` that does nearly all of its work on first use.

The standard library finds the fields of a class and compiles six methods while its module loads, 0.4 ms a class: that
was half the run time of a short command, which uses few of the classes it loads. Here only the class with its slots is
made at once. Its fields are determined when something asks for them, the first instance compiles its `__init__`, and
all classes share the other methods. Fields, `replace`, `asdict` and `match` work as in the standard library.

Programs import this module first: it loads `dataclasses` without `inspect`, which is a tenth of a short command, and is
called only for the docstring of a class that has none, and without `copy`, which only `asdict` and `astuple` call.
"""

# ruff: noqa: ANN401 - the methods serve classes that are not known here

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from operator import attrgetter
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn


class _LateModule(ModuleType):
    """Stands for a module until something of it is used."""

    def __getattr__(self, name: str) -> Any:
        return getattr(__import__(self.__name__), name)


_late = [_LateModule(name) for name in ("inspect", "copy") if name not in sys.modules]
sys.modules.update({module.__name__: module for module in _late})
import dataclasses  # noqa: E402 - see above

for module in _late:
    del sys.modules[module.__name__]

__all__ = ["compile_inits", "lazy_dataclass"]

UNCOMPILED = 16  # instances of a class, before its `__init__` is compiled: that takes as long as making about ten so


def _lazy_dataclass(
    *,
    frozen: bool = False,
    slots: bool,  # noqa: ARG001 - every class has slots; type checkers want to read it
    kw_only: bool = False,
) -> Callable[[type[Any]], type[Any]]:
    """Decorates a class, of which every annotation is a field; it may have a default, a factory, `compare=False`."""

    def decorate(cls: type[Any]) -> Any:
        annotations = cls.__annotations__
        defaults = {name: cls.__dict__[name] for name in annotations if name in cls.__dict__}
        members = {name: value for name, value in cls.__dict__.items() if name not in (*defaults, *_OF_INSTANCES)}
        inherited = {name for base in cls.__mro__[1:] for name in base.__dict__.get("__slots__", ())}
        new = tuple(name for name in annotations if name not in inherited)
        members["__doc__"], members["__slots__"] = cls.__doc__ or cls.__name__, new
        members["__dataclass_fields__"] = _LateFields(annotations, defaults, kw_only=kw_only)
        if not kw_only:
            members["__match_args__"] = (*getattr(cls, "__match_args__", ()), *new)
        decorated: Any = type(cls.__name__, cls.__bases__, {**(_SHARED_BY_FROZEN if frozen else _SHARED), **members})
        decorated.__qualname__ = cls.__qualname__
        if decorated.__init__ is _init:
            _instances[decorated] = 0
        return decorated

    return decorate


class _LateFields:
    """Stands for the fields of a class until something asks for them."""

    def __init__(self, annotations: Mapping[str, str], defaults: Mapping[str, Any], *, kw_only: bool) -> None:
        self._annotations = annotations
        self._defaults = defaults
        self._kw_only = kw_only
        self._owner: Any = None

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self._owner = owner

    def __get__(self, instance: object, cls: type[Any]) -> dict[str, dataclasses.Field[Any]]:
        """As the standard library does, which takes ten times as long since it looks for kinds that no field has."""
        bases = reversed(self._owner.__mro__[1:])
        known = {name: field for base in bases for name, field in getattr(base, "__dataclass_fields__", {}).items()}
        for name, annotation in self._annotations.items():
            field = self._defaults.get(name, dataclasses.MISSING)
            if not isinstance(field, dataclasses.Field):
                field = dataclasses.field(default=field)
            field.name, field.type, field.kw_only = name, annotation, self._kw_only
            field._field_type = dataclasses._FIELD  # type: ignore[attr-defined]  # noqa: SLF001 - for `fields`
            known[name] = field
        self._owner.__dataclass_fields__ = known
        return known


def compile_inits() -> None:
    """Compiles `__init__` of all classes that are loaded, for a process whose forks would each do it again."""
    for cls in [*_instances]:
        _compile_init(cls)


def _compile_init(cls: Any) -> None:
    _instances.pop(cls, None)
    cls.__init__ = _compiled_init(cls)


def _compiled_init(cls: type[Any]) -> Any:
    scope: dict[str, Any] = {"set_field": object.__setattr__, "MISSING": dataclasses.MISSING}
    positional: list[str] = []
    keywords: list[str] = []
    body: list[str] = []
    for field in dataclasses.fields(cls):
        parameter = value = field.name
        if field.default is not dataclasses.MISSING:
            scope[f"default_{field.name}"] = field.default
            parameter = f"{field.name}=default_{field.name}"
        elif field.default_factory is not dataclasses.MISSING:
            scope[f"new_{field.name}"] = field.default_factory
            parameter = f"{field.name}=MISSING"
            value = f"new_{field.name}() if {field.name} is MISSING else {field.name}"
        (keywords if field.kw_only else positional).append(parameter)
        body.append(f"  set_field(self, {field.name!r}, {value})")
    parameters = ", ".join(["self", *positional, *(["*", *keywords] if keywords else [])])
    exec("\n".join([f"def __init__({parameters}):", *(body or ["  pass"])]), scope)  # noqa: S102 - field names only
    return scope["__init__"]


def _init(self: Any, *arguments: Any, **named: Any) -> None:
    """Initializes the first instances of a class, then replaces itself: many a class has only a few."""
    cls: Any = next(cls for cls in type(self).__mro__ if cls.__dict__.get("__init__") is _init)
    count = _instances[cls] = _instances.get(cls, 0) + 1
    if count > UNCOMPILED or not _set_fields(cls, self, arguments, named):
        _compile_init(cls)  # it also says what is wrong with the arguments
        cls.__init__(self, *arguments, **named)


def _set_fields(cls: type[Any], self: object, arguments: Sequence[Any], named: dict[str, Any]) -> bool:
    """Sets the fields as a compiled `__init__` does; returns False if these arguments do not fit."""
    fields = dataclasses.fields(cls)
    values = named | dict(zip([field.name for field in fields if not field.kw_only], arguments, strict=False))
    if len(values) < len(arguments) + len(named):
        return False
    for field in fields:
        if field.name in values:
            value = values.pop(field.name)
        elif field.default is not dataclasses.MISSING:
            value = field.default
        elif field.default_factory is not dataclasses.MISSING:
            value = field.default_factory()
        else:
            return False
        object.__setattr__(self, field.name, value)
    return not values


@cache
def _compared_values(cls: type[Any]) -> Callable[[Any], Any]:
    """A getter of what is compared, as a tuple; attrgetter gives one for two names or more."""
    names = [field.name for field in dataclasses.fields(cls) if field.compare]
    return attrgetter(*names) if len(names) > 1 else lambda self: tuple(getattr(self, name) for name in names)


def _equal(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    values = _compared_values(self.__class__)
    return values(self) == values(other)


def _hash(self: Any) -> int:
    return hash(_compared_values(self.__class__)(self))


def _represent(self: Any) -> str:
    values = (f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self) if field.repr)
    return f"{type(self).__qualname__}({', '.join(values)})"


def _raise_frozen(self: Any, name: str, _value: object = None) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"{type(self).__name__} is frozen: its field {name!r} cannot be changed")


def _get_state(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _set_state(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)


_OF_INSTANCES = ("__dict__", "__weakref__")  # what a class without slots has
_SHARED = {
    "__dataclass_params__": SimpleNamespace(frozen=False, repr=False),
    "__init__": _init,
    "__eq__": _equal,
    "__hash__": None,
    "__repr__": _represent,
    "__getstate__": _get_state,
    "__setstate__": _set_state,
}
_SHARED_BY_FROZEN = {
    **_SHARED,
    "__dataclass_params__": SimpleNamespace(frozen=True, repr=False),
    "__hash__": _hash,
    "__setattr__": _raise_frozen,
    "__delattr__": _raise_frozen,
}
_instances: dict[type[Any], int] = {}  # made so far of classes whose `__init__` is not compiled

if TYPE_CHECKING:
    from dataclasses import dataclass as lazy_dataclass
else:
    lazy_dataclass = _lazy_dataclass
