"""Every error that this program raises on purpose."""

from __future__ import annotations

from collections.abc import Mapping

from backprop_tui.domain.similar import nearest


class BackpropError(Exception):
    """An error that is shown to the user in one line; docs/json.md lists `kind` and `exit_code`.

    `message` says what is wrong; `hint` what to do next, as a command to type where there is one; None: nothing.
    """

    kind = "internal"
    exit_code = 70

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}; {self.hint}"


class UsageError(BackpropError):
    """The command, an option or the configuration is wrong; the message says what to do."""

    kind = "usage"
    exit_code = 2


class UnknownRun(UsageError):
    """No run, or more than one, matches the handle."""

    kind = "unknown_run"

    def __init__(self, message: str, hint: str | None = "backprop-tui list shows the newest") -> None:
        super().__init__(message, hint)


class NotFound(BackpropError):
    """The script or command does not exist or cannot be read."""

    kind = "not_found"
    exit_code = 66


class StateUnavailable(BackpropError):
    """The state directory cannot be created, written or locked."""

    kind = "state_unavailable"
    exit_code = 73


class SupervisorFailing(StateUnavailable):
    """Supervisors have failed several times in a row: the next one is started after a pause."""


class Untrusted(StateUnavailable):
    """Another user could change the state directory or the configuration."""

    kind = "untrusted"
    exit_code = 76


class SystemUnfit(BackpropError):
    """The kernel, a sandbox or a limit of processes keeps this program from working."""

    kind = "system_unfit"
    exit_code = 69


class SlurmRefused(UsageError):
    """Slurm refused; the message has its own words."""

    kind = "slurm_refused"


class SlurmUnavailable(BackpropError):
    """Slurm is not installed here, or its controller does not answer."""

    kind = "slurm_unavailable"
    exit_code = 69


class StorageFailed(BackpropError):
    """Writing failed: disk full or another input/output error."""

    kind = "storage"
    exit_code = 74


class ServiceUnavailable(BackpropError):
    """systemd is not there, or refused a command."""

    kind = "service_unavailable"
    exit_code = 69


class HeldByGovernor(BackpropError):
    """The run would have to wait, and was not to."""

    kind = "held"
    exit_code = 75


class Interrupted(BackpropError):
    """Ctrl-C ended the command."""

    kind = "interrupted"
    exit_code = 130


class PackageMissing(BackpropError):
    """A Python package that this program needs is not installed."""

    kind = "package_missing"


class InternalError(BackpropError):
    """A bug in this program."""


class IllegalTransition(InternalError):
    """A run cannot change from one status to the other."""

    def __init__(self, old: str, new: str) -> None:
        super().__init__(f"a run cannot change from {old} to {new}")
        self.old, self.new = old, new


class BrokenRecord(StorageFailed):
    """A file of the store has unexpected content, or is no file."""

    kind = "broken_record"

    def __init__(self, path: str, problem: str, hint: str | None = None) -> None:
        super().__init__(f"{path}: {problem}", hint)
        self.path, self.problem = path, problem


class AccessDenied(BrokenRecord):
    """A file or directory of the store is not accessible to this user; the hint is the command that changes that."""

    kind, exit_code = StateUnavailable.kind, StateUnavailable.exit_code


class UntrustedRecord(AccessDenied):
    """Another user could change the record of a run."""

    kind, exit_code = Untrusted.kind, Untrusted.exit_code


class ConfigError(UsageError):
    """An error in a setting; `where` is the file (with the line, if known), the variable or the option.

    `key` is the setting whose value is wrong, None if the error is about another one or about the file as a whole.
    `repair` are the words after `config` that repair it if the file is the user's, such as `set max_parallel VALUE`.
    """

    kind = "configuration"

    def __init__(
        self, where: str, problem: str, hint: str | None = None, *, key: str | None = None, repair: str | None = None
    ) -> None:
        super().__init__(f"{where}: {problem}", hint)
        self.where, self.problem, self.key, self.repair = where, problem, key, repair


class UntrustedConfig(ConfigError):
    """Another user could change a configuration file."""

    kind, exit_code = Untrusted.kind, Untrusted.exit_code


def unknown_key(where: str, name: str, known: Mapping[str, str], *, repair: str | None = None) -> ConfigError:
    """Builds the error for an unknown key, with the known keys that may be meant; `known` has their help texts.

    A key that has all words of the name, and is the only one, is nearer than one that is spelled alike.
    """
    leaves = {key.rpartition(".")[2]: key for key in known}
    leaf = name.rpartition(".")[2]
    longer = [key for key in known if _parts(leaf) <= _parts(key)]
    only = longer[0] if len(longer) == 1 and len(_parts(leaf)) > 1 else None
    near = leaves.get(leaf) or only or nearest(name, known) or leaves.get(nearest(leaf, leaves) or "")
    related = [key for key, text in known.items() if _parts(name) <= _parts(f"{key} {text.partition(' ')[0]}")]
    if near is None and related:
        hint = f"perhaps {' or '.join(related[:3])}; `backprop-tui config show` lists all keys"
    else:
        hint = f"did you mean {near!r}?" if near else "`backprop-tui config show` lists all keys"
    return ConfigError(where, f"unknown key {name!r}", hint, repair=repair)


def _parts(name: str) -> set[str]:
    return set(name.lower().replace(".", " ").replace("_", " ").split())
