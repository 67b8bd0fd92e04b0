"""Classes of widgets are the same, whichever way they are created."""

from __future__ import annotations

from typing import Any

import pytest
from textual.app import App
from textual.binding import Binding
from textual.dom import DOMNode
from textual.reactive import reactive
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input

from backprop_tui.tui.screens.main import MainScreen
from backprop_tui.tui.textual_patches.class_creation import _collect_again, init_subclass
from backprop_tui.tui.widgets.line_widget import ScrollView


class Mixin:
    """Not a node."""


def _body() -> dict[str, Any]:
    return {
        "BINDINGS": [Binding("down", "mine", "mine"), ("x,y", "other", "other"), Binding("x", "second")],
        "value": reactive(1),
        "_hidden": reactive(2),
        "disabled": reactive(False),
        "compute_value": lambda _self: 3,
        "_compute__hidden": lambda _self: 4,
        "compute": None,
    }


def _collected(cls: Any) -> dict[str, Any]:
    reactives = [(name, value._default) for name, value in cls._reactives.items()]
    names = ("_css_type_name", "_css_type_names", "_computes", "_inherit_css", "_inherit_bindings")
    flags = {name: getattr(cls, name) for name in (*names, "_inherit_component_classes")}
    return flags | {"reactives": reactives, "bindings": list(cls._merged_bindings.key_to_bindings.items())}


@pytest.mark.parametrize("options", [{}, {"inherit_bindings": False}, {"inherit_css": False}])
@pytest.mark.parametrize("body", [{}, _body()], ids=["empty", "with attributes"])
@pytest.mark.parametrize(
    "bases",
    [(Widget,), (Input,), (ScrollView,), (MainScreen,), (Screen,), (App,), (Mixin, Input), (Input, Mixin), (DOMNode,)],
    ids=lambda bases: "-".join(base.__name__ for base in bases),
)
def test_a_class_is_the_same(
    bases: tuple[type, ...], body: dict[str, Any], options: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    collected = []
    for initialize in (_collect_again, init_subclass):
        monkeypatch.setattr(DOMNode, "__init_subclass__", classmethod(initialize))
        parent: Any = type(bases[0])("Parent", bases, dict(body), **options)
        child: Any = type(parent)("Child", (parent,), dict(body))
        grandchild: Any = type(parent)("Grandchild", (child,), {})
        collected.append([_collected(cls) for cls in (parent, child, grandchild)])
    assert collected[0] == collected[1]


def test_a_binding_that_is_added_to_a_class_is_not_added_to_its_base(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DOMNode, "__init_subclass__", classmethod(init_subclass))
    metaclass: Any = type(Widget)
    parent = metaclass("Parent", (Widget,), {"BINDINGS": [Binding("x", "mine")]})
    child = metaclass("Child", (parent,), {})
    child._merged_bindings._add_binding(Binding("x", "second"))
    assert [binding.action for binding in parent._merged_bindings.key_to_bindings["x"]] == ["mine"]
