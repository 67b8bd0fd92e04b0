"""Imports Textual without modules that it loads at once, but needs only after the first paint or never.

A stand-in takes the place of each such module while Textual is imported. Functions of it that were imported meanwhile
import the module when they are called, and so does any other access. Only with the tested Textual: another one might
use more of a module at once than its functions.
"""

from __future__ import annotations

import importlib
import os
import sys
import typing
from types import ModuleType
from typing import Any

from backprop_tui import TESTED_TEXTUAL

# By module: what is imported from it by name, and is only called or has its attributes read.
_LATE = {
    "difflib": ("get_close_matches",),
    "mimetypes": (),
    "pickle": ("dumps", "loads"),
    "platformdirs": ("user_downloads_path",),
    "rich.markup": ("render",),
    "rich.table": ("Table",),
    "rich.tree": ("Tree",),
    "textual.canvas": ("Canvas", "Rectangle"),
    "textual.command": ("CommandPalette", "DiscoveryHit", "Hit", "SimpleProvider"),
    "textual.markup": ("parse_style",),
    "urllib.parse": ("quote_from_bytes", "urlparse"),
    "uuid": ("uuid4",),
}
# What annotations name, and the base class of a provider of themes, which this dashboard does not offer.
_TYPES = {"textual.command": ("CommandListItem", "Hits", "Provider")}


class LateObject:
    """A function or class of a module, which is imported when this is called or an attribute is read."""

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name

    def __call__(self, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - of any function
        return self._real(*arguments, **named)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - of any class
        return getattr(self._real, name)

    @property
    def _real(self) -> Any:  # noqa: ANN401 - of any kind
        return getattr(_import(self._module), self._name)


class LateModule(ModuleType):
    """Stands for a module until something of it is used."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - of any kind
        if name.startswith("__"):
            raise AttributeError(name)  # the import system asks for `__path__` and `__spec__`
        return getattr(_import(self.__name__), name)


def _import(name: str) -> ModuleType:
    if isinstance(sys.modules.get(name), LateModule):
        del sys.modules[name]
    return importlib.import_module(name)


class _Typing(ModuleType):
    """Stands for `typing_extensions`: Python's own module has what Textual takes from it."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - of any kind
        return getattr(typing, name)


def load_textual() -> None:
    """Imports Textual; what follows can import the same modules as usual."""
    if "textual.app" in sys.modules:
        return
    stand_ins = _stand_ins() if is_tested() else {}
    sys.modules.update(stand_ins)
    try:
        import textual.dom

        _create_classes_faster()
        import textual.app
        import textual.drivers.linux_driver  # noqa: F401
    finally:
        for name, stand_in in stand_ins.items():
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]


def _create_classes_faster() -> None:
    try:
        from backprop_tui.tui.textual_patches import apply_patches, class_creation
    except (ImportError, AttributeError, KeyError):
        return  # another Textual, without the private parts that are patched; it works as it is
    apply_patches(class_creation.PATCHES)


def _stand_ins() -> dict[str, ModuleType]:
    modules: dict[str, ModuleType] = {"typing_extensions": _Typing("typing_extensions")}
    for name, late in _LATE.items():
        module = modules[name] = LateModule(name)
        vars(module).update({attribute: LateObject(name, attribute) for attribute in late})
        vars(module).update({attribute: type(attribute, (), {}) for attribute in _TYPES.get(name, ())})
    return {name: module for name, module in modules.items() if name not in sys.modules}


def is_tested() -> bool:
    """Whether the tested Textual is installed, by the name of its metadata: importlib.metadata is slow to import."""
    from importlib.machinery import PathFinder

    spec = PathFinder.find_spec("textual")
    if spec is None or spec.origin is None:
        return False
    packages = os.path.dirname(os.path.dirname(spec.origin))
    return os.path.isdir(os.path.join(packages, f"textual-{TESTED_TEXTUAL}.dist-info"))
