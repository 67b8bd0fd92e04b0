"""Users of this machine: their names, whose directory this is, and how an inaccessible file is made accessible."""

from __future__ import annotations

import os
import stat

from backprop_tui.processes.linux import existing_directory

ROOT = 0


def account_name(uid: int) -> str | None:
    """The name of a user's account; None for a user without one, as in a container."""
    import pwd  # only for messages

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def user_name(uid: int) -> str:
    return account_name(uid) or f"uid {uid}"


def foreign_owner(folder: str) -> int | None:
    """The user whose directory this is, or would be made in, if we are root and it is not root's; otherwise None.

    What root writes there would not be accessible to its owner. Other users are kept out by the permissions alone.
    """
    if os.geteuid() != ROOT:
        return None
    owner = os.stat(existing_directory(folder)).st_uid
    return None if owner == ROOT else owner


def run_as(uid: int) -> str:
    """The beginning of a command line that runs a program as that user."""
    account = account_name(uid) or f"'#{uid}'"
    return f"sudo -u {account}"


def why_closed(path: str) -> tuple[str, str]:
    """What keeps us from reading or writing this path, and the command that opens it, or what else does."""
    closed = _closed_part(path)
    status = os.lstat(closed)
    if os.statvfs(os.path.dirname(closed) if stat.S_ISLNK(status.st_mode) else closed).f_flag & os.ST_RDONLY:
        return "its file system is read-only", "mount it writable"
    subject = "it" if closed == path else closed
    if status.st_uid == os.geteuid():
        return f"{subject} has mode {stat.S_IMODE(status.st_mode):03o}", f"chmod -R u+rwX {closed}"
    owner = user_name(status.st_uid)
    if closed != path and os.lstat(os.path.dirname(closed)).st_uid != os.geteuid():  # such as /root: never ours
        return f"{subject} belongs to {owner}", f"ask {owner} for access to {closed}"
    return f"{subject} belongs to {owner}", f"sudo chown -R {os.geteuid()} {closed}"


def _closed_part(path: str) -> str:
    """The outermost directory above the path that we may not enter; else the path, or the directory to make it in."""
    closed, folder = path, path
    while (above := os.path.dirname(folder)) != folder:
        folder = above
        if not os.access(folder, os.X_OK):
            closed = folder
    while not os.path.lexists(closed):
        closed = os.path.dirname(closed)
    return closed
