"""The login session: whether runs survive a logout, and what the terminal can show."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping

from backprop_tui.cli.doctor.findings import Finding, bad, ok, warn
from backprop_tui.probes.logout import logout_policy

LEAST_COLUMNS, LEAST_LINES = 80, 24


def check_logout(user: str, *, root: str = "/", ask: bool = True) -> Iterator[Finding]:
    """Checks KillUserProcesses and lingering; `ask` asks logind, otherwise only its files are read."""
    logout = logout_policy(user, root=root, ask=ask)
    if logout.mend is None:
        yield ok("logout", f"runs continue after you log out ({logout.words})")
    else:
        yield bad(
            "logout",
            f"systemd kills your processes when you log out ({logout.words}), including runs",
            f"{logout.mend}   (may need sudo; this also keeps runs going after a lost connection)",
        )


def check_terminal(environment: Mapping[str, str], *, size: tuple[int, int] | None) -> Iterator[Finding]:
    """Checks type, colours, characters and `size` in columns and lines, None if there is no terminal."""
    kind = environment.get("TERM", "")
    if kind in ("", "dumb", "unknown"):
        term = f"TERM is {kind!r}" if kind else "TERM is not set"
        yield warn("terminal", f"{term}: the dashboard cannot draw; commands work", "export TERM=xterm-256color")
    else:
        yield ok("terminal", f"{kind}, {colours(environment)}")
    yield _check_characters(environment)
    # Some terminals, for example serial ones, do not report their size: it is 0.
    if size is not None and (0 < size[0] < LEAST_COLUMNS or 0 < size[1] < LEAST_LINES):
        message = f"{size[0]}x{size[1]}: the dashboard hides things below {LEAST_COLUMNS}x{LEAST_LINES}"
        yield warn("size", message, "make the window larger")


def _check_characters(environment: Mapping[str, str]) -> Finding:
    names = ("LC_ALL", "LC_CTYPE", "LANG")
    locale = next((environment[name] for name in names if environment.get(name)), "")
    # Python uses UTF-8 for the C locale too, so what it uses is checked and not the locale.
    encoding = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "")
    if encoding == "utf8":
        return ok("characters", f"UTF-8 ({locale or 'no locale set'})")
    message = f"{encoding or 'unknown'} ({locale}): drawn in ASCII only"
    return warn("characters", message, "export LANG=C.UTF-8")


def colours(environment: Mapping[str, str]) -> str:
    """How many colours the terminal has."""
    if environment.get("NO_COLOR"):
        return "no colours, as NO_COLOR asks"
    if environment.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return "16 million colours"
    kind = environment.get("TERM", "")
    if kind.endswith("-direct"):
        return "16 million colours"
    return "256 colours" if "256color" in kind else "16 colours; export COLORTERM=truecolor if it has more"


def terminal_size() -> tuple[int, int] | None:
    """Columns and lines; None if stdout is not a terminal."""
    if not sys.stdout.isatty():
        return None
    try:
        size = os.get_terminal_size(sys.stdout.fileno())
    except OSError:
        return None
    return size.columns, size.lines
