"""Opens regular files only, and never waits, as opening a FIFO or reading a device may."""

from __future__ import annotations

import errno
import os
import stat

_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFDIR: "a directory",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class WrongFile(OSError):
    """What is at the path is no regular file, or not one of ours, or too long."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(errno.EINVAL, problem, path)


def open_regular(path: str, flags: int = os.O_RDONLY, *, follow: bool = True) -> int:
    """Opens a regular file, also by a symbolic link if `follow` is set. Raises: WrongFile, and other OSErrors."""
    flags |= os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        kind = None if error.errno in (errno.ENOENT, errno.EACCES) else _kind_of(path)
        if kind is None:
            raise
        raise WrongFile(path, f"{kind}, not a regular file") from error
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    raise WrongFile(path, f"{_KINDS.get(stat.S_IFMT(mode))}, not a regular file")


def _kind_of(path: str) -> str | None:
    """What is at the path; None if it is a regular file, or nobody knows."""
    try:
        return _KINDS.get(stat.S_IFMT(os.lstat(path).st_mode))
    except OSError:
        return None


def read_regular(path: str, most: int, *, cut: bool = False) -> bytes:
    """The content of a regular file of at most `most` bytes; with `cut` so much of a longer one. Raises: OSError."""
    descriptor = open_regular(path)
    try:
        return read_descriptor(descriptor, path, most, cut=cut)
    finally:
        os.close(descriptor)


def read_descriptor(descriptor: int, path: str, most: int, *, cut: bool = False) -> bytes:
    """As `read_regular`, from an open file."""
    size = os.fstat(descriptor).st_size
    if size > most and not cut:
        raise WrongFile(path, f"has {size:,} bytes, more than the {most:,} that are read")
    size = min(size, most)
    content = os.read(descriptor, size)
    while len(content) < size and (more := os.read(descriptor, size - len(content))):
        content += more
    return content
