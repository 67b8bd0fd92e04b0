"""The machine: Python, kernel, memory, cores and GPUs, the login session and the terminal."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping

from backprop_tui import TESTED_TEXTUAL
from backprop_tui.cli.doctor import Finding, bad, ok, warn
from backprop_tui.cli.packages import install_command, installed_version, missing_requirements
from backprop_tui.client.interpreters import default_interpreter
from backprop_tui.domain.errors import NotFound
from backprop_tui.domain.formatting import counted, plain
from backprop_tui.domain.governor.snapshot import parallel_limit
from backprop_tui.domain.limits import GIGABYTE, MachineLimits
from backprop_tui.domain.telemetry import GpuHealth, GpuReading, HostReading, Readings
from backprop_tui.presentation import numbers
from backprop_tui.probes.cgroups import Cgroups
from backprop_tui.probes.logout import logout_effect
from backprop_tui.probes.readings import Sample
from backprop_tui.processes.requirements import has_pidfds, unmet_requirement
from backprop_tui.processes.tree import lists_children

MIN_COLUMNS, MIN_LINES = 80, 24
MIN_KERNEL = (5, 4)  # the first with pidfds that can be polled and waited for
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - only inspected
MIN_SHARED_BYTES = GIGABYTE


def check_python(directory: str, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Checks the Python that runs this program, and the one that would run scripts of a directory."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield ok("python", f"{version}, {sys.executable}")
    try:
        interpreter = default_interpreter(os.path.join(directory, "train.py"), environment)
    except NotFound as error:
        yield warn("scripts", str(error), "activate the environment to train in, or set run.python")
        return
    message = f"in this directory run with {interpreter.path}: {interpreter.origin}"
    if sys.prefix != sys.base_prefix and os.path.dirname(interpreter.path) == os.path.join(sys.prefix, "bin"):
        advice = "activate the environment to train in, or name it: backprop-tui run --python DIR train.py"
        yield warn("scripts", f"{message}; that is the environment of backprop-tui itself", advice)
    else:
        yield ok("scripts", message)


def check_packages() -> Iterator[Finding]:
    """Checks the packages that this program needs, and whether Textual is the version that the tests ran with."""
    missing = missing_requirements()
    if missing:
        message = f"missing: {', '.join(missing)}; the dashboard or some commands do not work"
        yield warn("packages", message, install_command(missing))
    version = installed_version("textual")
    if version is not None:
        untested = f": not the version that the tests ran with ({TESTED_TEXTUAL})"
        yield ok("textual", version + ("" if version == TESTED_TEXTUAL else untested))


def check_kernel(release: str, proc: str = "/proc") -> Iterator[Finding]:
    """Checks what a guardian needs of Linux; `release` is that of uname(1)."""
    advice = f"Linux {MIN_KERNEL[0]}.{MIN_KERNEL[1]} or newer is needed"
    version = tuple(int(number) for number in release.replace("-", ".").split(".")[:2] if number.isdecimal())
    if version < MIN_KERNEL:
        yield bad("kernel", f"Linux {release} is too old", advice)
    elif not has_pidfds():
        yield bad("kernel", f"Linux {release} refuses pidfds", f"{advice}, and a sandbox that allows pidfd_open(2)")
    else:
        yield ok("kernel", f"Linux {release}")
    if not os.path.exists(f"{proc}/self/stat"):
        yield bad("proc", f"{proc} is not mounted", f"mount -t proc proc {proc}")
    elif not lists_children():
        message = "the kernel does not list the children of a process: all processes are searched for those of a run"
        yield warn("proc", message, "that takes more CPU time; a kernel with CONFIG_PROC_CHILDREN needs less")


def check_requirements() -> Iterator[Finding]:
    """Checks the limits that the processes of this program inherit from this shell."""
    unmet = unmet_requirement()
    if unmet is None:
        yield ok("limits", "high enough")
    else:
        yield bad("limits", *unmet)


def check_memory(host: HostReading, *, min_free_bytes: int, cgroups: Cgroups | None = None) -> Iterator[Finding]:
    limits = [limit for limit, _ in (cgroups or Cgroups(proc="/proc", mount="/sys/fs/cgroup")).memory()]
    total, free = host.ram_total_bytes, host.ram_available_bytes
    if total is None or free is None:
        yield warn("memory", "cannot be read", "runs start one at a time until /proc/meminfo can be read")
        return
    limited = " by the control group" if limits and min(limits) <= total else ""
    message = f"{numbers.memory_size(free)} of {numbers.memory_size(total)} free{limited}"
    keeps = f"min_free_ram_gb keeps {numbers.memory_size(min_free_bytes)} free"
    lower = f"backprop-tui config set min_free_ram_gb {plain(total / 4 / GIGABYTE)}"
    if 0 < total <= min_free_bytes:
        yield bad("memory", f"{message}: no run ever starts, because {keeps}", lower)
    elif free < min_free_bytes:
        yield warn(
            "memory", f"{message}: runs wait now, because {keeps}", f"stop other programs that use it, or: {lower}"
        )
    else:
        yield ok("memory", message)


def check_cores(host: HostReading) -> Iterator[Finding]:
    count, cores = os.cpu_count() or 1, host.cores or 1.0
    limited = f" of {count}: by affinity or the control group" if cores < count else ""
    yield ok("cores", f"{plain(cores)}{limited}")


def check_shared_memory(path: str = SHARED_MEMORY) -> Iterator[Finding]:
    """Checks the shared memory: containers have 64 MB by default, which is too little for data loaders."""
    if not os.path.isdir(path):
        yield warn("shm", f"there is no {path}", "data loaders with workers need it: mount a tmpfs there")
        return
    total = shutil.disk_usage(path).total
    if total < MIN_SHARED_BYTES:
        advice = (
            "data loaders with workers may crash with a bus error: start the container with --shm-size=8g or --ipc=host"
        )
        yield warn("shm", f"{path} has {numbers.memory_size(total)}", advice)
    else:
        yield ok("shm", f"{path} has {numbers.memory_size(total)}")


def check_temporary_folder() -> Iterator[Finding]:
    """Checks that files can be made in a temporary directory, as most training scripts do."""
    import tempfile

    try:
        yield ok("temp", tempfile.gettempdir())
    except FileNotFoundError:
        message = "no directory for temporary files can be written (TMPDIR, /tmp, /var/tmp)"
        yield warn("temp", message, "many scripts need one: mount a tmpfs on /tmp, or set TMPDIR")


def check_gpus(sample: Sample, configured: str) -> Iterator[Finding]:
    """Checks the probe that was chosen, and each GPU; `configured` is the setting `gpu.probe`."""
    readings = sample.readings
    others = "; ".join(f"{name}: {reason}" for name, reason in sample.passed_over.items())
    if configured == "none":
        yield ok("gpu probe", 'switched off by gpu.probe = "none"')
    elif readings.probe_problem is not None:
        advice = 'until then one run starts at a time; try nvidia-smi, or set gpu.probe = "none"'
        yield bad("gpu probe", f"{readings.probe}: {readings.probe_problem}", advice)
    elif not sample.gpus_known:
        yield warn("gpu probe", "the driver has not answered yet", "run nvidia-smi: if it hangs too, reboot")
    elif readings.gpus:
        yield ok("gpu probe", f"{readings.probe} chosen" + (f"; {others}" if others else ""))
    else:
        yield ok("gpu probe", "no GPU found" + (f" ({others})" if others else ""))
    for gpu in readings.gpus:
        yield _check_gpu(gpu)


def check_parallel(limits: MachineLimits, readings: Readings) -> Iterator[Finding]:
    """Says how many runs may be active at a time, which depends on the machine."""
    limit = parallel_limit(limits, readings)
    setting = "max_parallel = auto" if limits.max_parallel is None else "max_parallel"
    yield ok("parallel", f"{counted(limit, 'run')} at a time ({setting})" if limit else "no limit (max_parallel = 0)")


def _check_gpu(gpu: GpuReading) -> Finding:
    name = f"gpu {gpu.index}"
    free = None
    if gpu.memory_total_bytes is not None and gpu.memory_used_bytes is not None:
        free = gpu.memory_total_bytes - gpu.memory_used_bytes
    celsius = "" if gpu.temperature_celsius is None else f", {gpu.temperature_celsius:.0f} °C"
    message = f"{gpu.name}, {numbers.memory_size(free)} of {numbers.memory_size(gpu.memory_total_bytes)} free{celsius}"
    problem = f"{message}: {gpu.health}" + (f", {gpu.problem}" if gpu.problem else "")
    match gpu.health:
        case GpuHealth.OK:
            return ok(name, message if gpu.problem is None else f"{message}; {gpu.problem}")
        case GpuHealth.HOT:
            return warn(name, problem, "runs on it pause until it is cooler: check fans and airflow, or gpu.max_temp_c")
        case GpuHealth.LOST:
            return bad(name, problem, "search dmesg for Xid and `fallen off the bus`; it needs a reset or a reboot")
        case _:
            return warn(name, problem, "no run starts on it until it answers; try nvidia-smi in a shell")


def check_logout(user: str, *, root: str = "/", ask: bool = True) -> Iterator[Finding]:
    """Checks KillUserProcesses and lingering; `ask` asks logind, otherwise only its files are read."""
    logout = logout_effect(user, root=root, ask=ask)
    if logout.fix is None:
        yield ok("logout", f"runs continue after you log out ({logout.reason})")
    else:
        yield bad(
            "logout",
            f"systemd kills your processes when you log out ({logout.reason}), including runs",
            f"{logout.fix}   (may need sudo; this also keeps runs going after a lost connection)",
        )


def check_terminal(environment: Mapping[str, str], *, size: tuple[int, int] | None) -> Iterator[Finding]:
    """Checks type, colors, characters and `size` in columns and lines, None if there is no terminal."""
    kind = environment.get("TERM", "")
    if kind in ("", "dumb", "unknown"):
        term = f"TERM is {kind!r}" if kind else "TERM is not set"
        yield warn("terminal", f"{term}: the dashboard cannot draw; commands work", "export TERM=xterm-256color")
    else:
        yield ok("terminal", f"{kind}, {colours(environment)}")
    yield _check_characters(environment)
    # Some terminals, for example serial ones, do not report their size: it is 0.
    if size is not None and (0 < size[0] < MIN_COLUMNS or 0 < size[1] < MIN_LINES):
        message = f"{size[0]}x{size[1]}: the dashboard hides things below {MIN_COLUMNS}x{MIN_LINES}"
        yield warn("size", message, "make the window larger")


def _check_characters(environment: Mapping[str, str]) -> Finding:
    names = ("LC_ALL", "LC_CTYPE", "LANG")
    locale = next((environment[name] for name in names if environment.get(name)), "")
    # Python uses UTF-8 for the C locale too, so what it uses is checked and not the locale.
    encoding = (getattr(sys.__stdout__, "encoding", None) or "").lower().replace("-", "")
    if encoding == "utf8":
        return ok("characters", f"UTF-8 ({locale or 'no locale set'})")
    message = f"{encoding or 'unknown'} ({locale}): drawn in ASCII only"
    return warn("characters", message, "export LANG=C.UTF-8")


def colours(environment: Mapping[str, str]) -> str:
    if environment.get("NO_COLOR"):
        return "no colors, as NO_COLOR asks"
    if environment.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return "16 million colors"
    kind = environment.get("TERM", "")
    if kind.endswith("-direct"):
        return "16 million colors"
    return "256 colors" if "256color" in kind else "16 colors; export COLORTERM=truecolor if it has more"
