"""Causes that need a fix: wrong arguments, syntax errors, missing files and failed imports."""

from __future__ import annotations

import re

from backprop_tui.domain.causes.cause import build_cause
from backprop_tui.domain.causes.clues import Clues, Hit
from backprop_tui.domain.causes.tracebacks import SYNTAX_ERRORS, LoggedException
from backprop_tui.domain.run import Cause

_ARGPARSE = r"^[\w./ -]+: error: (.+)$"
_CLICK = r"^Error: ((?:No such (?:option|command)|Missing (?:option|argument|parameter)|Invalid value).*)$"
_FLAGS = (
    r"FATAL Flags parsing error:|Unknown command line flag|Some specified arguments are not used by the HfArgument"
    r"|^Could not override '.*|^Error parsing override .*|^ERROR: Could not consume arg: .*"
)
_USAGE_ADVICE = "correct the arguments: N in the dashboard copies the run as new, or queue it again"


def usage(clues: Clues) -> Cause | None:
    """Recognises the messages of argparse, click, absl and Hugging Face."""
    hit = _find_usage_error(clues)
    if hit is None:
        return None
    message = hit.match[1] if hit.match.lastindex else hit.line.text
    return build_cause("python_error", at=hit.line, summary=f"wrong arguments: {message}", advice=_USAGE_ADVICE)


def _find_usage_error(clues: Clues) -> Hit | None:
    if clues.root is None and clues.exit_code == 2:
        return clues.find(_ARGPARSE) or clues.find(_CLICK)
    return clues.find(_FLAGS)


def syntax(clues: Clues) -> Cause | None:
    """Recognises syntax errors, which no retry can fix."""
    root = clues.root
    if root is None or root.name not in SYNTAX_ERRORS:
        return None
    may_be_newer = re.search(r"invalid syntax|f-string", root.line.text) is not None
    advice = "fix the script, then resume" + ("; it may need a newer Python (--python)" if may_be_newer else "")
    return build_cause("python_error", at=root.line, summary=_with_place(root), advice=advice)


def _with_place(error: LoggedException) -> str:
    where = "" if not error.frames else f" in {error.frames[-1][0]} line {error.frames[-1][1]}"
    return re.sub(r"^(?:\w+\.)+", "", error.line.text) + where


_PYTHON_2 = (
    r"^SyntaxError: (?:Missing parentheses in call to '(?:print|exec)'|multiple exception types must be parenthesized"
    r"|leading zeros in decimal integer literals)"
    r"|^NameError: name '(?:xrange|raw_input|unicode|basestring|unichr|execfile|long)' is not defined"
    r"|^AttributeError: 'dict' object has no attribute '(?:iter(?:items|keys|values)|has_key)'"
    r"|^ModuleNotFoundError: No module named '(?:urllib2|urlparse|cPickle|ConfigParser|StringIO|Queue)'"
)


def python_2(clues: Clues) -> Cause | None:
    """Recognises errors that Python 3 reports in code for Python 2."""
    root = clues.root
    if root is None or re.search(_PYTHON_2, root.line.text) is None:
        return None
    advice = "this looks like Python 2 code: convert it to Python 3, or name a Python 2 with --python"
    return build_cause("python_error", at=root.line, summary=_with_place(root), advice=advice)


_QUOTED_NAME = r"['\"]([^'\"\n]+)['\"]"
_MISSING = (
    rf"No such file or directory: b?{_QUOTED_NAME}",
    rf"can't open file {_QUOTED_NAME}",
    rf"name = {_QUOTED_NAME}, errno = 2",
    rf"(?:file|directory|path) {_QUOTED_NAME} (?:not found|does not exist)",
    r"^\S*?: (?:(?:line )?\d+: )?(?P<shell>[^:\s][^:\n]*): (?:No such file or directory|command not found|not found)$",
)


def missing_file(clues: Clues) -> Cause | None:
    """Recognises Python's exception, and messages of other programs and shells."""
    root = clues.root
    if root is not None and root.name != "FileNotFoundError":
        # h5py, torch and others raise their own exceptions.
        if re.search(r"\bNo such file or directory\b|errno = 2\b", root.text) is None:
            return None
    elif root is None and clues.exit_code not in (1, 2, 126, 127):
        return None
    for pattern in _MISSING:
        hit = clues.find(pattern)
        if hit is not None:
            return _missing_file_cause(clues, hit, hit.match[1])
    if root is None:
        return None
    summary = re.sub(r"^(?:\w+\.)+(?=\w)", "", root.line.text)
    return build_cause("file_not_found", at=root.line, summary=summary, advice=f"relative paths start at {_cwd(clues)}")


def _missing_file_cause(clues: Clues, hit: Hit, path: str) -> Cause:
    if "command not found" in hit.text or clues.exit_code == 127:
        advice = "install it, or give its full path; PATH is that of the shell in which the run was queued"
        return build_cause("file_not_found", at=hit.line, summary=f"command not found: {path}", advice=advice)
    if path.startswith("/"):
        advice = "check the path; is it on a disk that is not mounted here?"
    else:
        advice = f"it was expected at {_cwd(clues)}/{path}; --cwd sets where relative paths start"
    return build_cause("file_not_found", at=hit.line, summary=f"FileNotFoundError: {path}", advice=advice)


def _cwd(clues: Clues) -> str:
    return clues.facts.cwd.rstrip("/")


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
    if not is_import and (root is not None or clues.find_last(rf"(?:^|: ){_NO_MODULE}(?:'\))?$|{_NO_LIBRARY}") is None):
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
