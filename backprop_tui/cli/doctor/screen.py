"""The terminal: whether it shows what the dashboard draws."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping

from backprop_tui.cli.doctor.findings import Finding, ok, warn

LEAST_COLUMNS, LEAST_LINES = 80, 24


def look_at_terminal(environment: Mapping[str, str], *, size: tuple[int, int] | None) -> Iterator[Finding]:
    """Type, colours, characters and `size` in columns and lines, None where there is no terminal."""
    kind = environment.get("TERM", "")
    if kind in ("", "dumb", "unknown"):
        named = f"TERM is {kind!r}" if kind else "TERM is not set"
        yield warn("terminal", f"{named}: the dashboard cannot draw; commands work", "export TERM=xterm-256color")
    else:
        yield ok("terminal", f"{kind}, {colours(environment)}")
    yield _look_at_characters(environment)
    # Some terminals, serial ones for example, do not tell their size: 0.
    if size is not None and (0 < size[0] < LEAST_COLUMNS or 0 < size[1] < LEAST_LINES):
        message = f"{size[0]}x{size[1]}: the dashboard leaves things out below {LEAST_COLUMNS}x{LEAST_LINES}"
        yield warn("size", message, "make the window larger")


def _look_at_characters(environment: Mapping[str, str]) -> Finding:
    words = (environment.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    locale = next((word for word in words if word), "")
    # Python takes UTF-8 for the C locale too; what matters is what it took.
    encoding = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "")
    if encoding == "utf8":
        return ok("characters", f"UTF-8 ({locale or 'no locale set'})")
    message = f"{encoding or 'unknown'} ({locale}): drawn with ASCII alone"
    return warn("characters", message, "export LANG=C.UTF-8")


def colours(environment: Mapping[str, str]) -> str:
    """How many colours it has, in words."""
    if environment.get("NO_COLOR"):
        return "no colours, as NO_COLOR asks"
    if environment.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return "16 million colours"
    kind = environment.get("TERM", "")
    if kind.endswith("-direct"):
        return "16 million colours"
    return "256 colours" if "256color" in kind else "16 colours; export COLORTERM=truecolor where it has more"


def terminal_size() -> tuple[int, int] | None:
    """Columns and lines; None where stdout is no terminal."""
    if not sys.stdout.isatty():
        return None
    try:
        found = os.get_terminal_size(sys.stdout.fileno())
    except OSError:
        return None
    return found.columns, found.lines
