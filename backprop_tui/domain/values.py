"""`dataclass` for frozen values: as the standard library's, with its methods made when they are first wanted.

The standard library compiles six methods of each class while its module loads, 0.4 ms a class: that was half the time
of a short command, and a third of the dashboard's start. Here the first instance of a class compiles its `__init__`,
and the other methods are the same for all classes. Fields, `replace`, `asdict` and `match` are the standard library's.
"""

# ruff: noqa: ANN401 - the methods are of classes that are not known here

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NoReturn

__all__ = ["dataclass", "prepare"]


def _dataclass(*, frozen: bool = False, slots: bool, kw_only: bool = False) -> Callable[[type[Any]], type[Any]]:
    """A class decorator; fields may have a default, a factory, and `compare=False`. What changes is left as it was."""
    if not frozen:
        return dataclasses.dataclass(slots=slots, kw_only=kw_only)

    def decorate(cls: type[Any]) -> type[Any]:
        made = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True, kw_only=kw_only)(cls)
        for name, method in _methods(made).items():
            if name not in cls.__dict__:
                setattr(made, name, method)
        return made

    return decorate


def _methods(cls: type[Any]) -> dict[str, Callable[..., Any]]:
    compared = _getter([field.name for field in dataclasses.fields(cls) if field.compare])

    def init(self: Any, *arguments: Any, **named: Any) -> None:
        cls.__init__ = _compiled_init(cls)
        cls.__init__(self, *arguments, **named)

    def equal(self: Any, other: Any) -> Any:
        return compared(self) == compared(other) if other.__class__ is self.__class__ else NotImplemented

    def hashed(self: Any) -> int:
        return hash(compared(self))

    return {
        "__init__": init,
        "__eq__": equal,
        "__hash__": hashed,
        "__repr__": _represent,
        "__setattr__": _refuse,
        "__delattr__": _refuse,
        "__getstate__": _state,
        "__setstate__": _restore,
    }


def prepare(*classes: type[Any]) -> None:
    """Compiles now what the first instance of each would: for a process whose forks would each do it again."""
    for cls in classes:
        cls.__init__ = _compiled_init(cls)


def _compiled_init(cls: type[Any]) -> Any:
    """With the signature that the fields make."""
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
    exec("\n".join([f"def __init__({parameters}):", *(body or ["  pass"])]), scope)  # noqa: S102 - names of our own fields
    return scope["__init__"]


def _getter(names: list[str]) -> Callable[[Any], Any]:
    """Of these attributes as a tuple, which attrgetter gives from two on."""
    return attrgetter(*names) if len(names) > 1 else lambda self: tuple(getattr(self, name) for name in names)


def _represent(self: Any) -> str:
    shown = (f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self) if field.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _refuse(self: Any, name: str, _value: object = None) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"{type(self).__name__} is a value: its field {name!r} cannot be changed")


def _state(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _restore(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)


if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    dataclass = _dataclass
