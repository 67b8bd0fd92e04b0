"""The state directory, the settings, the supervisor and the index: whether queued runs get started and recorded."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterable, Iterator

from backprop_tui import __version__
from backprop_tui.cli.doctor import Finding, bad, ok, warn
from backprop_tui.client.runs import guardian_problem, host_hint, split, whereabouts
from backprop_tui.config.load import Layer
from backprop_tui.domain.errors import AccessDenied, BackpropError, Untrusted
from backprop_tui.domain.formatting import counted
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.launchers.lease import is_signed_elsewhere, supervisor_pid
from backprop_tui.presentation import numbers
from backprop_tui.presentation.states import status_word
from backprop_tui.processes.linux import existing_directory
from backprop_tui.processes.users import run_as, user_name, why_closed
from backprop_tui.store.failures import SAMPLER, SUPERVISOR, failing, repeated_failure
from backprop_tui.store.files import parse_object, read_bytes
from backprop_tui.store.home import RUN_ID, Home
from backprop_tui.store.hosts import belongs_here, is_silent
from backprop_tui.store.index import read_all
from backprop_tui.store.run_view import governor_record

_ELSEWHERE = "set BACKPROP_HOME to a directory on a local disk"
_NETWORK = ("nfs", "cifs", "smb", "9p", "fuse.sshfs", "afs", "lustre", "ceph", "beegfs", "gpfs", "glusterfs")
_VOLATILE = ("tmpfs", "ramfs")
MOUNTS = "/proc/self/mountinfo"
MIN_FREE_FILES = 10_000
MAX_NAMED = 5  # inaccessible files; more are counted


def check_state(home: Home, *, min_free_bytes: int, mounts: str = MOUNTS) -> Iterator[Finding]:
    """Checks the state directory; leaves nothing behind in it."""
    root = home.root
    origin = "BACKPROP_HOME" if os.environ.get("BACKPROP_HOME") else "the default"
    owner = home.foreign_owner()
    if owner is not None:
        message = f"{root} ({origin}) belongs to {user_name(owner)}; as root you can look, and change nothing"
        yield bad(
            "state", message, f"{run_as(owner)} backprop-tui ..., or set BACKPROP_HOME to a directory of your own"
        )
    elif not os.path.isdir(root):
        yield from _check_missing(root, origin)
    else:
        yield _check_directory(home, origin)
        yield from check_locks(root)
    folder = existing_directory(root)
    yield _check_file_system(folder, mounts)
    yield from check_space(folder, min_free_bytes=min_free_bytes)


def _check_missing(root: str, origin: str) -> Iterator[Finding]:
    above = existing_directory(root)
    if os.path.lexists(root):
        yield bad("state", f"{root} ({origin}) is not a directory", "move it away, or set BACKPROP_HOME")
    elif os.access(above, os.W_OK | os.X_OK):
        yield ok("state", f"{root} ({origin}): created by the first run")
    else:
        yield bad("state", f"{root} ({origin}) cannot be created: {above} is not writable", "set BACKPROP_HOME")


def _check_directory(home: Home, origin: str) -> Finding:
    root = home.root
    status = os.stat(root)
    mode = stat.S_IMODE(status.st_mode)
    if not os.access(root, os.R_OK | os.W_OK | os.X_OK):
        reason, command = why_closed(root)
        message = f"{root} ({origin}) is not writable by you: {reason}"
        return bad("state", message, f"{command}, or set BACKPROP_HOME to a directory of your own")
    try:
        home.require_private()
    except Untrusted as error:
        return bad("state", error.message, error.hint or "")
    if mode & 0o077:
        return warn("state", f"{root} ({origin}) is open to others (mode {mode:03o})", f"chmod 700 {root}")
    return ok("state", f"{root} ({origin})")


def check_leftovers(home: Home) -> Iterator[Finding]:
    """Finds files that this user cannot access, such as those of a command that root ran."""
    if not os.access(home.root, os.W_OK):
        return  # the state directory as a whole is closed
    folders = (home.root, home.runs, home.active, home.new, home.keys, home.host_folder)
    closed = [path for folder in folders for path in _closed_in(folder)]
    for path in closed[:MAX_NAMED]:
        reason, command = why_closed(path)
        yield warn("owner", f"{path} is not accessible to you: {reason}", command)
    if len(closed) > MAX_NAMED:
        command = f"sudo chown -R {os.geteuid()} {home.root}"
        yield warn("owner", f"{len(closed) - MAX_NAMED} more files are not accessible to you", command)


def _closed_in(folder: str) -> Iterator[str]:
    """The files in a directory that cannot be read and written, and the directories that cannot be entered."""
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    except OSError:
        yield folder
        return
    for entry in entries:
        needed = os.R_OK | os.W_OK | (os.X_OK if os.path.isdir(entry.path) else 0)
        if ".of-" not in entry.name and not os.access(entry.path, needed) and os.path.lexists(entry.path):
            yield entry.path


def check_locks(root: str) -> Iterator[Finding]:
    """Takes a lock twice, which must fail, and makes a named pipe, by which supervisors are woken."""
    path = os.path.join(root, f".doctor-{os.getpid()}")
    try:
        yield _check_lock(path)
        os.unlink(path)
        os.mkfifo(path, 0o600)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EROFS, errno.EPERM):
            yield bad("locks", f"{error.strerror} in {root}", _ELSEWHERE)
    finally:
        if os.path.lexists(path):
            os.unlink(path)


def _check_lock(path: str) -> Finding:
    first = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    second = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return ok("locks", "work")
        return bad("locks", "one lock was taken twice: this file system does not support locking", _ELSEWHERE)
    finally:
        os.close(first)
        os.close(second)


def _check_file_system(folder: str, mounts: str) -> Finding:
    kind = file_system_of(folder, mounts)
    if kind is None:
        return ok("file system", "unknown")
    if kind.startswith(_NETWORK):
        message = f"{kind}: a network file system: slower, and its locks depend on the server"
        return warn("file system", message, f"if locks or speed are a problem: {_ELSEWHERE}")
    if kind in _VOLATILE:
        return warn("file system", f"{kind}: all records are lost at a reboot", _ELSEWHERE)
    if kind == "overlay":
        return warn(
            "file system", "overlay: all records are lost with the container", "mount a volume and set BACKPROP_HOME"
        )
    return ok("file system", kind)


def file_system_of(path: str, mounts: str) -> str | None:
    """The type of the file system that a path is on; None if the mounts cannot be read."""
    mount = mount_of(path, mounts)
    return None if mount is None else mount.kind


@lazy_dataclass(frozen=True, slots=True)
class Mount:
    """The type of a file system, and the options that it is mounted with."""

    kind: str
    options: frozenset[str]

    @property
    def is_network(self) -> bool:
        return self.kind.startswith(_NETWORK)


def mount_of(path: str, mounts: str = MOUNTS) -> Mount | None:
    """The file system that a path is on; None if the mounts cannot be read. See mountinfo in proc(5)."""
    try:
        with open(mounts, encoding="utf-8", errors="surrogateescape") as file:
            lines = [line.split() for line in file]
    except OSError:
        return None
    real, best, mount = os.path.realpath(path), "", None
    for fields in lines:
        if "-" not in fields:
            continue
        point = fields[4].replace("\\040", " ")
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):  # a later mount at the same point covers the earlier
            kind, _, options = (*fields[fields.index("-") + 1 :], "", "", "")[:3]
            best, mount = point, Mount(kind, frozenset(f"{fields[5]},{options}".split(",")))
    return mount


def check_space(folder: str, *, min_free_bytes: int) -> Iterator[Finding]:
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    if free < min_free_bytes:
        keeps = f"governor.min_free_disk_gb keeps {numbers.size(min_free_bytes)} free"
        advice = "backprop-tui clean --older-than 30d removes old runs; or free some space"
        yield bad("disk", f"{numbers.size(free)} free: runs wait, because {keeps}", advice)
    else:
        yield ok("disk", f"{numbers.size(free)} free")
    if disk.f_files > 0 and disk.f_favail < MIN_FREE_FILES:
        yield warn("files", f"room for only {disk.f_favail} more files", "backprop-tui clean --older-than 30d")


def check_settings(layers: Iterable[Layer]) -> Iterator[Finding]:
    for layer in layers:
        for problem in layer.problems:
            yield bad("settings", str(problem), "fix it there; backprop-tui config check lists all problems")
        for remark in layer.remarks:
            yield warn("settings", f"{layer.name}: {remark}", "it has no effect here")
        if not layer.problems:
            yield ok("settings", layer.name)


def check_failures(home: Home) -> Iterator[Finding]:
    """Finds processes of ours that keep failing: a supervisor, or the guardian of a run."""
    advice = f"the details are in {home.supervisor_log}, those of the sampler in sampler.log beside it"
    for subject in failing(home):
        failure = repeated_failure(home, subject)
        if failure is not None:
            check = {SUPERVISOR: "supervisor", SAMPLER: "sampler"}.get(subject, "guardian")
            what = f"the guardian of {subject}" if check == "guardian" else "it"
            yield bad(check, f"{what} {failure}", advice)


def check_work(home: Home) -> Iterator[Finding]:
    unfinished, _ = split(home)
    here = [view for view in unfinished if view.run.host == home.host]
    pid = supervisor_pid(home)
    waiting = counted(len(here), "unfinished run")
    if pid is not None:
        yield _check_supervisor(home, pid, waiting)
    elif not here:
        yield ok("supervisor", "none, and nothing is unfinished; the next run starts one")
    elif is_signed_elsewhere(home) and any(view.live is not None for view in here):
        message = f"{waiting} from another boot, or from another machine that is also called {home.host!r}"
        yield warn("supervisor", message, "if it is another machine: set BACKPROP_HOST to another name on one of them")
    else:
        yield warn("supervisor", f"none, and {waiting}", "backprop-tui status starts one")
    for view in here:
        problem = guardian_problem(home, view)
        if problem is not None and repeated_failure(home, view.run.id) is None:
            yield warn(
                "guardian", f"{view.run.id} ({view.run.label}): {problem}", f"backprop-tui continue {view.run.id}"
            )


def _check_supervisor(home: Home, pid: int, waiting: str) -> Finding:
    alive = f"alive, pid {pid}, {waiting}"
    version = (governor_record(home) or {"version": __version__}).get("version")
    if version == __version__:
        return ok("supervisor", alive)
    of = "an earlier version" if version is None else f"version {version}"
    advice = f"it ends with its last run; to replace it now, while runs go on: kill {pid}, then backprop-tui list"
    return warn("supervisor", f"{alive}; it is of {of}, and {__version__} is installed", advice)


def check_elsewhere(home: Home) -> Iterator[Finding]:
    """Finds unfinished runs of hosts that have not been seen for minutes."""
    unfinished, _ = split(home)
    for view in unfinished:
        run = view.run
        if not belongs_here(home, run) and is_silent(home, run):
            yield warn(
                "host",
                f"{run.id} ({run.label}), {status_word(view.status)}, is {whereabouts(home, run)}",
                host_hint(run),
            )


def check_records(home: Home) -> Iterator[Finding]:
    """Finds the runs that every command leaves out."""
    split(home)
    if not any(_closed_in(home.root)):  # reading them would set them aside
        read_all(home)
    for run_id, reason in sorted(home.unreadable.items()):
        advice = "it is left out, and kept as it is: repair it"
        has_directory = RUN_ID.fullmatch(run_id) and os.path.isdir(home.run_folder(run_id))
        yield warn("records", reason, f"{advice}, or: backprop-tui remove {run_id}" if has_directory else advice)


def check_index(home: Home) -> Iterator[Finding]:
    try:
        content = read_bytes(home.index)
        if content is not None:
            parse_object(home.index, content)
    except AccessDenied as error:
        if not os.access(home.root, os.W_OK | os.X_OK):
            return  # the state directory as a whole is closed: what it holds is not known
        yield warn("index", str(error), "nothing is lost: the next run that ends sets it aside and builds another")
        return
    except BackpropError as error:
        yield warn("index", str(error), "nothing is lost: it is rebuilt when the next run ends")
        return
    size = 0 if content is None else len(content)
    yield ok("index", "none yet" if content is None else f"{os.path.basename(home.index)}, {numbers.size(size)}")
