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


ALLOW_SHARED = "BACKPROP_ALLOW_SHARED"  # a variable: what it allows could be written into any file by others


def other_owner(path: str, uid: int, *, as_folder: bool) -> str | None:
    """`belongs to NAME` if what is at this path is neither this user's nor root's; `as_folder`: nor its directory's.

    Raises: OSError.
    """
    if uid in (os.geteuid(), ROOT):
        return None
    is_as_folder = as_folder and uid == os.stat(os.path.dirname(os.path.realpath(path))).st_uid
    return None if is_as_folder else f"belongs to {user_name(uid)}"


def shared_with(path: str, *, root_looks: bool = False) -> str | None:
    """Who besides this user and root could change a file or directory; None: nobody, or it cannot be looked at.

    `root_looks`: root may read it if it belongs to the owner of the directory above.
    """
    if os.environ.get(ALLOW_SHARED):
        return None
    try:
        status = os.stat(path)
        other = other_owner(path, status.st_uid, as_folder=root_looks and os.geteuid() == ROOT)
    except OSError:
        return None
    if other is not None:
        return other
    if status.st_mode & stat.S_IWOTH:
        return f"can be written by everybody (mode {stat.S_IMODE(status.st_mode):03o})"
    if status.st_mode & stat.S_IWGRP and not _is_private_group(status.st_gid, status.st_uid):
        return f"can be written by its group (mode {stat.S_IMODE(status.st_mode):03o})"
    return None


def _is_private_group(gid: int, uid: int) -> bool:
    """Whether a group is root's, or has this user as its only member, as many systems make one for each user."""
    if gid == ROOT:
        return True
    import grp

    account = account_name(uid)
    try:
        group = grp.getgrgid(gid)
    except KeyError:
        return gid == uid
    return (gid == uid or group.gr_name == account) and set(group.gr_mem) <= {account}


def replaceable_by(path: str) -> str | None:
    """The nearest directory above a path whose owner lets everybody rename what is in it, unless that is this user."""
    if os.environ.get(ALLOW_SHARED):
        return None
    folder = os.path.realpath(path)
    while folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
        try:
            status = os.stat(folder)
        except OSError:
            continue
        is_safe = status.st_uid == ROOT and status.st_mode & stat.S_ISVTX
        if status.st_mode & stat.S_IWOTH and not is_safe and status.st_uid != os.geteuid():
            return folder
    return None


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
