"""What could not be imported: which package, by which interpreter, and how it is installed there."""

from __future__ import annotations

import re

from backprop_tui.domain.causes.clues import Clues
from backprop_tui.domain.causes.making import made
from backprop_tui.domain.run import Cause

_NO_MODULE = r"No module named ['\"]?([\w.]+)"
_NO_NAME = r"cannot import name ['\"]([\w.]+)['\"] from (?:partially initialized module )?['\"]([\w.]+)['\"]"
_NO_LIBRARY = r"(lib[\w.+-]+\.so[\w.]*): cannot open shared object file"
# Where the package to install is called otherwise than the module.
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
    """A module, a name or a shared library that is not there."""
    root = clues.root
    is_import = root is not None and root.name in ("ModuleNotFoundError", "ImportError")
    if not is_import and (root is not None or clues.find_last(rf"(?:^|: ){_NO_MODULE}$|{_NO_LIBRARY}") is None):
        return None
    for pattern, told in ((_NO_MODULE, _no_module), (_NO_NAME, _no_name), (_NO_LIBRARY, _no_library)):
        hit = clues.find(pattern)
        if hit is not None:
            summary, advice = told(clues, hit.match)
            return made("import_error", at=hit.line, summary=summary, advice=advice)
    if root is None:
        return None
    return made("import_error", at=root.line, summary=root.line.text, advice=_elsewhere(clues))


def _no_module(clues: Clues, found: re.Match[str]) -> tuple[str, str]:
    module = found[1]
    top = module.partition(".")[0]
    facts = clues.facts
    where = "" if facts.interpreter is None else f" in {facts.interpreter}"
    local = facts.local_module(top)
    if local is not None:
        return f"no module {module}{where}", f"it lies in {local}: --env PYTHONPATH={local}, or --cwd {local}"
    python = facts.interpreter or "python3"
    install = f"{python} -m pip install {_PACKAGES.get(top, top)}"
    return f"no module {module}{where}", f"{install}, or choose another interpreter with --python{_origin(clues)}"


def _no_name(clues: Clues, found: re.Match[str]) -> tuple[str, str]:
    top = found[2].partition(".")[0]
    if "partially initialized" in found[0]:
        return f"{found[2]} has no {found[1]} yet: modules import each other", "break the circle of imports"
    return (
        f"{found[2]} has no {found[1]}",
        f"another version of {_PACKAGES.get(top, top)} is wanted, or a file of that name hides it{_origin(clues)}",
    )


def _no_library(clues: Clues, found: re.Match[str]) -> tuple[str, str]:
    return (
        f"shared library {found[1]} not found",
        f"install what brings it, or set --env LD_LIBRARY_PATH to where it lies{_origin(clues)}",
    )


def _elsewhere(clues: Clues) -> str:
    return f"mend the package in the interpreter that ran it, or choose another one with --python{_origin(clues)}"


def _origin(clues: Clues) -> str:
    origin = clues.facts.python_origin
    return "" if origin is None else f" (it was {origin})"
