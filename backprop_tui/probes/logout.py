"""Determines whether systemd ends runs when their user logs out, and which command prevents it."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.processes.users import account_name

_ANSWER_SECONDS = 2.0
# Below the root directory.
SYSTEMD_RUNTIME = "run/systemd/system"  # exists if systemd is the init system, see sd_booted(3)
LINGER_FOLDER = "var/lib/systemd/linger"  # has a file for each user whose user manager starts at boot
# Later folders override earlier ones, and drop-ins override the file itself. See logind.conf(5).
_FOLDERS: Sequence[str] = ("usr/lib/systemd", "usr/local/lib/systemd", "run/systemd", "etc/systemd")


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class LogoutEffect:
    """Whether runs survive a logout; `reason` says why, `fix` is the command that makes them survive."""

    survives: bool
    reason: str
    fix: str | None = None


def logout_effect(user: str, *, root: str = "/", ask: bool = True) -> LogoutEffect:
    """Checks KillUserProcesses and lingering; `ask` queries logind for two seconds at most, else its files are read."""
    if not os.path.isdir(os.path.join(root, SYSTEMD_RUNTIME)):
        return LogoutEffect(survives=True, reason="no systemd")
    kills = _query_logind() if ask else None
    kills = _kills_user_processes(root) if kills is None else kills
    if not kills:
        return LogoutEffect(survives=True, reason="KillUserProcesses=no")
    if os.path.exists(os.path.join(root, LINGER_FOLDER, user)):  # see loginctl(1), enable-linger
        return LogoutEffect(survives=True, reason="linger is on")
    return LogoutEffect(survives=False, reason="KillUserProcesses=yes", fix=f"loginctl enable-linger {user}")


def login_name() -> str:
    """This user's name for loginctl; the user id if it has no name."""
    return account_name(os.getuid()) or str(os.getuid())


def _kills_user_processes(root: str = "/") -> bool:
    """Returns the setting in logind's configuration files; the default is no."""
    value = "no"
    for folder in _FOLDERS:
        base = os.path.join(root, folder)
        for path in [f"{base}/logind.conf", *sorted(glob.glob(f"{glob.escape(base)}/logind.conf.d/*.conf"))]:
            value = _value_in(path) or value
    return value.lower() in ("yes", "true", "1", "on")


def _value_in(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            values = re.findall(r"^\s*KillUserProcesses\s*=\s*(\S+)", file.read(), re.MULTILINE)
    except OSError:
        return None
    return values[-1] if values else None


def _query_logind() -> bool | None:
    """Returns the setting in effect; None if logind does not answer."""
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
