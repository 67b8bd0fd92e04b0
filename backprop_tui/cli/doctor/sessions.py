"""Whether systemd lets runs live when their user logs out."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator

from backprop_tui.cli.doctor.findings import Finding, bad, ok

_ANSWER_SECONDS = 2.0
# Later ones win over earlier ones, drop-ins over the file itself. See logind.conf(5).
_FOLDERS = ("usr/lib/systemd", "usr/local/lib/systemd", "run/systemd", "etc/systemd")


def look_at_sessions(user: str, *, root: str = "/", ask: bool = True) -> Iterator[Finding]:
    """KillUserProcesses and lingering; `ask` logind what is in force, else its files are read alone."""
    if not os.path.isdir(os.path.join(root, "run/systemd/system")):
        yield ok("logout", "no systemd here: logging out ends nothing")
        return
    kills = _asked() if ask else None
    kills = kills_user_processes(root) if kills is None else kills
    if not kills:
        yield ok("logout", "systemd leaves what runs when you log out (KillUserProcesses=no)")
    elif lingers(user, root):
        yield ok("logout", f"{user} lingers: what runs goes on after you log out")
    else:
        yield bad(
            "logout",
            "systemd ends your processes when you log out (KillUserProcesses=yes), runs too",
            f"loginctl enable-linger {user}   (perhaps with sudo; also keeps runs going after a lost connection)",
        )


def lingers(user: str, root: str = "/") -> bool:
    """Whether the user's manager stays after the last logout. See loginctl(1), enable-linger."""
    return os.path.exists(os.path.join(root, "var/lib/systemd/linger", user))


def kills_user_processes(root: str = "/") -> bool:
    """What logind's files say; no where they are silent, as in most distributions."""
    value = "no"
    for folder in _FOLDERS:
        base = os.path.join(root, folder)
        for path in [f"{base}/logind.conf", *sorted(glob.glob(f"{glob.escape(base)}/logind.conf.d/*.conf"))]:
            value = _value_in(path) or value
    return value.lower() in ("yes", "true", "1", "on")


def _value_in(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            found = re.findall(r"^\s*KillUserProcesses\s*=\s*(\S+)", file.read(), re.MULTILINE)
    except OSError:
        return None
    return found[-1] if found else None


def _asked() -> bool | None:
    """What logind says is in force; None where nobody answers."""
    import subprocess

    command = [
        *("busctl", "--system", "get-property", "org.freedesktop.login1", "/org/freedesktop/login1"),
        *("org.freedesktop.login1.Manager", "KillUserProcesses"),
    ]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_ANSWER_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return {"b true": True, "b false": False}.get(answer.stdout.strip())
