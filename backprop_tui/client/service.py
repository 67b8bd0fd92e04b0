"""The systemd user unit that starts the supervisor after a reboot, if runs are unfinished."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence

from backprop_tui.client.session import ClientSession
from backprop_tui.config.sources import user_folder
from backprop_tui.domain.errors import ServiceUnavailable, UsageError
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.probes import logout
from backprop_tui.processes.programs import is_executable, on_path
from backprop_tui.processes.users import ALLOW_SHARED
from backprop_tui.store.files import storage

UNIT = "backprop-tui.service"
SYSTEMD_RUNTIME, LINGER_FOLDER = f"/{logout.SYSTEMD_RUNTIME}", f"/{logout.LINGER_FOLDER}"
_ANSWER_SECONDS = 10.0
# What decides where state and settings are, and where programs such as nvidia-smi are found.
_KEPT = ("BACKPROP_HOME", "BACKPROP_HOST", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "PATH", ALLOW_SHARED)

# systemd ends what a user manager runs at the user's last logout, unless linger is on, which the condition checks. In a
# scope of their own, supervisor and runs outlive a stop of the unit; at a shutdown they get SIGTERM and time to save,
# which they would not get in the unit with KillMode=process (user@.service has KillMode=mixed). See systemd.kill(5),
# systemd.scope(5).
_TEMPLATE = """\
[Unit]
Description=backprop-tui: continue the queue of training runs after a reboot
ConditionPathExists={linger}/%u

[Service]
Type=oneshot
{environment}ExecStart={command}
KillMode=process

[Install]
WantedBy=default.target
"""


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class ServiceState:
    """`is_current`: the unit is the one that would be installed now; `failed`: its last start."""

    path: str
    installed: bool
    is_current: bool
    enabled: bool
    failed: bool
    linger: bool


def unit_path() -> str:
    return os.path.join(user_folder("XDG_CONFIG_HOME", "~/.config"), "systemd/user", UNIT)


def start_command(session: ClientSession) -> list[str]:
    """The command line that starts the supervisor, with absolute paths."""
    program = os.path.join(os.path.dirname(sys.executable), "backprop-tui")
    words = [program] if is_executable(program) else [sys.executable, "-P", "-m", "backprop_tui"]
    return [*words, *(["--config", session.config_path] if session.config_named else []), "service", "start"]


def unit_text(session: ClientSession) -> str:
    systemd_run = next(on_path("systemd-run", session.environment), "/usr/bin/systemd-run")
    scope = [systemd_run, "--user", "--scope", "--collect", "--quiet", "--", *start_command(session)]
    variables = _kept_variables(session)
    settings = (_quoted(f"{name}={value}", "%") for name, value in variables.items())
    return _TEMPLATE.format(
        linger=LINGER_FOLDER,
        environment="".join(f"Environment={setting}\n" for setting in settings),
        command=" ".join(_quoted(word, "%$") for word in scope),
    )


def install(session: ClientSession) -> None:
    """Writes the unit and enables it. Raises: ServiceUnavailable, StorageFailed."""
    require_systemd(session)
    path = unit_path()
    with storage(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(unit_text(session))
    _systemctl("daemon-reload")
    _systemctl("enable", path)


def uninstall() -> bool:
    """Disables and removes the unit, whatever runs now; returns whether there was one."""
    path = unit_path()
    if not os.path.lexists(path):
        return False
    has_systemd = os.path.isdir(SYSTEMD_RUNTIME)
    if has_systemd:
        _systemctl("disable", UNIT)
    with storage(path):
        os.unlink(path)
    if has_systemd:
        _systemctl("daemon-reload")
    return True


def service_state(session: ClientSession) -> ServiceState:
    """Raises: ServiceUnavailable, if there is no systemd."""
    require_systemd(session)
    path = unit_path()
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            text = file.read()
    except FileNotFoundError:
        text = ""
    return ServiceState(
        path=path,
        installed=bool(text),
        is_current=text == unit_text(session),
        enabled=bool(text) and _answer("is-enabled") == "enabled",
        failed=bool(text) and _answer("is-failed") == "failed",
        linger=os.path.exists(os.path.join(LINGER_FOLDER, logout.login_name())),
    )


def require_systemd(session: ClientSession) -> None:
    if os.path.isdir(SYSTEMD_RUNTIME):
        return
    variables = {name: value for name, value in _kept_variables(session).items() if name != "PATH"}
    command = shlex.join(["env", *(f"{name}={value}" for name, value in variables.items()), *start_command(session)])
    line = command.removeprefix("env ") if not variables else command
    scheduled = line.replace("%", r"\%")  # which crontab takes for the end of the line
    raise ServiceUnavailable(
        f"there is no systemd on this machine (no {SYSTEMD_RUNTIME})",
        f"run this at the start of a container:\n  {line}\n"
        f"elsewhere add this line with crontab -e:\n  @reboot {scheduled}",
    )


def _kept_variables(session: ClientSession) -> dict[str, str]:
    variables = {name: session.environment[name] for name in _KEPT if session.environment.get(name)}
    if "BACKPROP_HOME" in variables:
        variables["BACKPROP_HOME"] = session.home.root  # absolute
    return variables


def _quoted(word: str, doubled: str) -> str:
    """A word of a unit file, in which `%` begins a specifier, and in command lines `$` a variable."""
    if "\n" in word:
        raise UsageError(f"{word!r}: a line break cannot be in a unit file")
    text = "".join(letter * 2 if letter in doubled else letter for letter in word)
    if re.fullmatch(r"[\w@%+=:,./$-]+", text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _systemctl(*words: str) -> None:
    result = _run(words)
    if result.returncode != 0:
        detail = result.stderr.strip() or f"exit code {result.returncode}"
        raise ServiceUnavailable(
            f"systemctl --user {shlex.join(words)}: {detail}",
            "log in as this user directly (with ssh, not with su or sudo), "
            f"or: loginctl enable-linger {logout.login_name()}",
        )


def _answer(question: str) -> str:
    return _run((question, UNIT)).stdout.strip()


def _run(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    runtime = {"XDG_RUNTIME_DIR": f"/run/user/{os.getuid()}"} | os.environ
    command = ["systemctl", "--user", *words]
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=_ANSWER_SECONDS, check=False, env=runtime
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServiceUnavailable(f"systemctl --user {shlex.join(words)}: {error}") from error
