"""A replacement for `dataclasses.dataclass` that compiles the methods of frozen classes on first use.

The standard library compiles six methods per class at import time, 0.4 ms a class: that was half the run time of a
short command, and a third of the dashboard's start. Here the first instance of a class compiles its `__init__`, and
all classes share the other methods. Fields, `replace`, `asdict` and `match` work as in the standard library.

Programs import this module first: it loads `dataclasses` without `inspect`, which is a tenth of a short command, and is
called only for the docstring of a class that has none.
"""

# ruff: noqa: ANN401 - the methods serve classes that are not known here

from __future__ import annotations

import sys
from collections.abc import Callable
from operator import attrgetter
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn


class _LateInspect(ModuleType):
    """Stands for `inspect` until something of it is used."""

    def __getattr__(self, name: str) -> Any:
        import inspect

        return getattr(inspect, name)


_inspect = sys.modules.setdefault("inspect", _LateInspect("inspect"))
import dataclasses  # noqa: E402 - see above

if isinstance(_inspect, _LateInspect):
    del sys.modules["inspect"]

__all__ = ["compile_inits", "lazy_dataclass"]


def _lazy_dataclass(*, frozen: bool = False, slots: bool, kw_only: bool = False) -> Callable[[type[Any]], type[Any]]:
    """Decorates a class; fields may have a default, a factory, and `compare=False`. Mutable classes are not changed."""

    def decorate(cls: type[Any]) -> type[Any]:
        cls.__doc__ = cls.__doc__ or cls.__name__  # the standard library would write a signature, which is slow
        if not frozen:
            return dataclasses.dataclass(slots=slots, kw_only=kw_only)(cls)
        decorated = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True, kw_only=kw_only)(cls)
        for name, method in _methods(decorated).items():
            if name not in cls.__dict__:
                setattr(decorated, name, method)
        return decorated

    return decorate


def _methods(cls: type[Any]) -> dict[str, Callable[..., Any]]:
    compared_values = _tuple_getter([field.name for field in dataclasses.fields(cls) if field.compare])

    def init(self: Any, *arguments: Any, **named: Any) -> None:
        cls.__init__ = _compiled_init(cls)
        cls.__init__(self, *arguments, **named)

    def equal(self: Any, other: Any) -> Any:
        return compared_values(self) == compared_values(other) if other.__class__ is self.__class__ else NotImplemented

    def hash_value(self: Any) -> int:
        return hash(compared_values(self))

    return {
        "__init__": init,
        "__eq__": equal,
        "__hash__": hash_value,
        "__repr__": _represent,
        "__setattr__": _raise_frozen,
        "__delattr__": _raise_frozen,
        "__getstate__": _get_state,
        "__setstate__": _set_state,
    }


def compile_inits(*classes: type[Any]) -> None:
    """Compiles `__init__` of these classes now, for a process whose forks would each do it again."""
    for cls in classes:
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


def _tuple_getter(names: list[str]) -> Callable[[Any], Any]:
    """Returns a getter of these attributes as a tuple; attrgetter gives one for two names or more."""
    return attrgetter(*names) if len(names) > 1 else lambda self: tuple(getattr(self, name) for name in names)


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


if TYPE_CHECKING:
    from dataclasses import dataclass as lazy_dataclass
else:
    lazy_dataclass = _lazy_dataclass
