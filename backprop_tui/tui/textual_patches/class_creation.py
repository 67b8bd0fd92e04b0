"""Creates classes of widgets faster, which is a twentieth of the dashboard's start; upstream knows no issue for it.

For each class Textual collects the reactives and the bindings of all its base classes again, and lists all attributes.
"""

# ruff: noqa: SLF001 - private parts of Textual

from __future__ import annotations

from textual.binding import BindingsMap
from textual.dom import DOMNode
from textual.reactive import Reactive

from backprop_tui.tui.textual_patches import Patch

_collect_again = DOMNode.__dict__["__init_subclass__"].__func__
_COMPUTE = "compute_"


def init_subclass(
    cls: type[DOMNode],
    inherit_css: bool = True,  # noqa: FBT001, FBT002 - Textual's signature
    inherit_bindings: bool = True,  # noqa: FBT001, FBT002
    inherit_component_classes: bool = True,  # noqa: FBT001, FBT002
) -> None:
    """Adds what the class defines to what was collected for its base class, if it has only one."""
    base, own = cls.__bases__[0], cls.__dict__
    if len(cls.__bases__) > 1 or not issubclass(base, DOMNode) or "_reactives" not in base.__dict__:
        _collect_again(cls, inherit_css, inherit_bindings, inherit_component_classes)
        return
    super(DOMNode, cls).__init_subclass__()
    cls._inherit_css, cls._inherit_bindings = inherit_css, inherit_bindings
    cls._inherit_component_classes = inherit_component_classes
    cls._reactives = base._reactives | {name: value for name, value in own.items() if isinstance(value, Reactive)}
    cls._css_type_name = cls.__name__
    cls._css_type_names = frozenset(node.__name__ for node in cls._css_bases(cls))
    bindings = base._merged_bindings if inherit_bindings else None
    keys = {} if bindings is None else {key: [*those] for key, those in bindings.key_to_bindings.items()}
    cls._merged_bindings = BindingsMap.from_keys(keys | BindingsMap(own.get("BINDINGS", ())).key_to_bindings)
    names = (name.lstrip("_") for name in own if name.startswith((_COMPUTE, f"_{_COMPUTE}")))
    cls._computes = base._computes.union(name.removeprefix(_COMPUTE) for name in names)


PATCHES = (
    Patch(
        owner=DOMNode,
        name="__init_subclass__",
        replacement=classmethod(init_subclass),
        builds_on=("_merge_bindings", "_css_bases"),
        sha256="3d28933892cec8c865309462a5425b9031705a849faa9a45adf24bda249745eb",
    ),
)
