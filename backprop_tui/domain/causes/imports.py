"""Detects failed imports: which package, in which interpreter, and how to install it there."""

from __future__ import annotations

import re

from backprop_tui.domain.causes.cause import build_cause
from backprop_tui.domain.causes.clues import Clues
from backprop_tui.domain.run import Cause

_NO_MODULE = r"No module named ['\"]?([\w.]+)"
_NO_NAME = r"cannot import name ['\"]([\w.]+)['\"] from (?:partially initialized module )?['\"]([\w.]+)['\"]"
_NO_LIBRARY = r"(lib[\w.+-]+\.so[\w.]*): cannot open shared object file"
# Modules whose package has another name.
_PACKAGES = {
    "PIL": "pillow",
    "cv2": "opencv-python",
    "sklearn": "scikit-learn",
    "skimage": "scikit-image",
    "yaml": "pyyaml",
    "bs4": "beautifulsoup4",
    "dateutil": "python-dateutil",
    "pytorch_lightning": "pytorch-lightning",
    "google": "protobuf",
    "attr": "attrs",
    "flash_attn": "flash-attn",
    "hydra": "hydra-core",
    "umap": "umap-learn",
    "faiss": "faiss-cpu",
}


def imports(clues: Clues) -> Cause | None:
    """Recognises a missing module, name or shared library."""
    root = clues.root
    is_import = root is not None and root.name in ("ModuleNotFoundError", "ImportError")
    if not is_import and (root is not None or clues.find_last(rf"(?:^|: ){_NO_MODULE}$|{_NO_LIBRARY}") is None):
        return None
    describers = ((_NO_MODULE, _describe_module), (_NO_NAME, _describe_name), (_NO_LIBRARY, _describe_library))
    for pattern, describe in describers:
        hit = clues.find(pattern)
        if hit is not None:
            summary, advice = describe(clues, hit.match)
            return build_cause("import_error", at=hit.line, summary=summary, advice=advice)
    if root is None:
        return None
    advice = f"repair the package in that interpreter, or choose another one with --python{_origin(clues)}"
    return build_cause("import_error", at=root.line, summary=root.line.text, advice=advice)


def _describe_module(clues: Clues, match: re.Match[str]) -> tuple[str, str]:
    module = match[1]
    top = module.partition(".")[0]
    facts = clues.facts
    where = "" if facts.interpreter is None else f" in {facts.interpreter}"
    local = facts.local_module(top)
    if local is not None:
        return f"no module {module}{where}", f"it is in {local}: use --env PYTHONPATH={local}, or --cwd {local}"
    python = facts.interpreter or "python3"
    install = f"{python} -m pip install {_PACKAGES.get(top, top)}"
    return f"no module {module}{where}", f"{install}, or choose another interpreter with --python{_origin(clues)}"


def _describe_name(clues: Clues, match: re.Match[str]) -> tuple[str, str]:
    top = match[2].partition(".")[0]
    if "partially initialized" in match[0]:
        return f"{match[2]} has no {match[1]} yet: circular import", "break the circular import"
    return (
        f"{match[2]} has no {match[1]}",
        f"another version of {_PACKAGES.get(top, top)} is needed, or a local file hides it{_origin(clues)}",
    )


def _describe_library(clues: Clues, match: re.Match[str]) -> tuple[str, str]:
    return (
        f"shared library {match[1]} not found",
        f"install the package that provides it, or set --env LD_LIBRARY_PATH to its folder{_origin(clues)}",
    )


def _origin(clues: Clues) -> str:
    origin = clues.facts.python_origin
    return "" if origin is None else f" (used: {origin})"
