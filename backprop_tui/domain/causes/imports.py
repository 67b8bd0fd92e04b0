"""Causes: a module, name or shared library that cannot be imported."""

from __future__ import annotations

import posixpath
import re
import shlex
import sys

from backprop_tui.domain.causes.cause import build_cause
from backprop_tui.domain.causes.clues import Clues
from backprop_tui.domain.run import Cause

_NO_MODULE = r"No module named ['\"]?([\w.]+)"
_NO_NAME = r"cannot import name ['\"]([\w.]+)['\"] from (?:partially initialized module )?['\"]([\w.]+)['\"]"
_NO_LIBRARY = r"(lib[\w.+-]+\.so[\w.]*): cannot open shared object file"
_NO_PARENT = r"attempted relative import (?:with no known parent|beyond top-level) package"
# Modules whose package has another name; pip takes _ for -.
_PACKAGES = {
    "Bio": "biopython",
    "Crypto": "pycryptodome",
    "OpenGL": "PyOpenGL",
    "PIL": "pillow",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "distutils": "setuptools",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "faiss": "faiss-cpu",
    "fitz": "pymupdf",
    "git": "GitPython",
    "google": "protobuf",
    "google.protobuf": "protobuf",
    "hydra": "hydra-core",
    "ignite": "pytorch-ignite",
    "imblearn": "imbalanced-learn",
    "jwt": "PyJWT",
    "mpl_toolkits": "matplotlib",
    "pkg_resources": "'setuptools<81'",
    "pynvml": "nvidia-ml-py",
    "ruamel": "ruamel.yaml",
    "serial": "pyserial",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "skopt": "scikit-optimize",
    "umap": "umap-learn",
    "whisper": "openai-whisper",
    "yaml": "pyyaml",
    "zmq": "pyzmq",
}
_OUR_MODULES = ("backprop_tui", "backprop_report")


def imports(clues: Clues) -> Cause | None:
    """Recognises a missing module, name, shared library or parent package."""
    root = clues.root
    is_import = root is not None and root.name in ("ModuleNotFoundError", "ImportError")
    if not is_import and (root is not None or clues.find_last(rf"(?:^|: ){_NO_MODULE}(?:'\))?$|{_NO_LIBRARY}") is None):
        return None
    describers = (
        (_NO_MODULE, _describe_module),
        (_NO_NAME, _describe_name),
        (_NO_LIBRARY, _describe_library),
        (_NO_PARENT, _describe_relative),
    )
    for pattern, describe in describers:
        hit = clues.find(pattern)
        if hit is not None:
            summary, advice = describe(clues, hit.match)
            return build_cause("import_error", at=hit.line, summary=summary, advice=advice)
    if root is None:
        return None
    advice = f"repair the package in that interpreter, or {_other_interpreter(clues)}"
    return build_cause("import_error", at=root.line, summary=root.line.text, advice=advice)


def _describe_module(clues: Clues, match: re.Match[str]) -> tuple[str, str]:
    module = match[1]
    top = module.partition(".")[0]
    facts = clues.facts
    summary = f"no module {module}" + ("" if facts.interpreter is None else f" in {facts.interpreter}")
    if top in _OUR_MODULES:
        path = clues.root.frames[0][0] if clues.root is not None and clues.root.frames else "."
        folder = posixpath.dirname(posixpath.join(facts.cwd, path))
        return (
            summary,
            f"backprop-tui report {shlex.quote(folder)}, then there: import backprop_report as report",
        )
    local = facts.local_module(top)
    if local is not None:
        return summary, f"it is in {local}: use --env PYTHONPATH={local}, or --cwd {local}"
    package = _PACKAGES.get(module)
    if package is None and module != top:  # its package was imported
        return summary, _other_version(clues, top)
    if package is None and top in sys.stdlib_module_names:
        return summary, f"it belongs to Python itself, and this one was built without it: {_other_interpreter(clues)}"
    return summary, f"{facts.install(package or top)}, or {_other_interpreter(clues)}"


def _describe_name(clues: Clues, match: re.Match[str]) -> tuple[str, str]:
    if "partially initialized" in match[0]:
        return f"{match[2]} has no {match[1]} yet: circular import", "break the circular import"
    return f"{match[2]} has no {match[1]}", _other_version(clues, match[2].partition(".")[0])


def _other_version(clues: Clues, module: str) -> str:
    package = _PACKAGES.get(module, module)
    return f"another version of {package} is needed, or a local file or directory hides it{_origin(clues)}"


def _describe_library(clues: Clues, match: re.Match[str]) -> tuple[str, str]:
    return (
        f"shared library {match[1]} not found",
        f"install the package that provides it, or set --env LD_LIBRARY_PATH to its folder{_origin(clues)}",
    )


def _describe_relative(clues: Clues, match: re.Match[str]) -> tuple[str, str]:
    """A file that is started by its path belongs to no package; started as a module it does."""
    frames = [frame for frame in clues.root.frames if frame[0][0] != "<"] if clues.root is not None else []
    path, _, code = frames[-1] if frames else ("", 0, "")
    dots = re.match(r"from (\.+)", code)
    is_main = path == frames[0][0] if frames else False
    line = clues.facts.as_module(path, len(dots[1]) if dots else 1) if is_main else None
    advice = line or "import it as PACKAGE.MODULE, and start it with: backprop-tui run -- python3 -m PACKAGE.MODULE"
    return f"{path.rpartition('/')[2] or 'the script'}: {match[0]}", advice


def _other_interpreter(clues: Clues) -> str:
    if clues.facts.python_origin is None:
        return "name another interpreter in the command line"
    return f"choose another interpreter with --python{_origin(clues)}"


def _origin(clues: Clues) -> str:
    origin = clues.facts.python_origin
    return "" if origin is None else f" (used: {origin})"
