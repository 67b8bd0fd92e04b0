"""Locates the source of a training as Python would, and finds out how it takes a checkpoint."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from backprop_tui.domain.command_lines import Target, TargetKind, find_target, shell_target
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.resume_arguments import (
    ResumeMethod,
    all_options,
    output_options,
    resume_channel,
    resume_template,
)
from backprop_tui.processes.regular_files import read_regular

MAX_SOURCE_BYTES = 4 << 20
MAX_IMPORTED_FILES = 30
MAX_IMPORTED_BYTES = 200_000  # of one file
MAX_RELEVANT_BYTES = 1_000_000  # of all files that may concern resuming
_MAX_CONFIG_FILES = 20
_MAX_SHELLS = 3  # scripts that start each other
_HEAD_BYTES = 2_000

_IMPORT = r"^[ \t]*(?:from[ \t]+([.\w]+)[ \t]+import[ \t]*(\([^)]*\)|[^\n#]+)|import[ \t]+([^\n#;]+))"
_WORD = r"[A-Za-z_]\w*"
_RELEVANT = r"resume|RESUME|[Rr]estor|ckpt_path|continue_from|latest|add_subparsers|hydra\.main"
_ENTRY_POINT = r"^from ([\w.]+) import \w+"


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSource:
    """The source file of a training and its arguments; `path` is None if it was not found.

    `roots` are the directories that it imports from, `takes_arguments` is as in `Target`, `around` is the source of
    what starts it: shell scripts, or code on the command line.
    """

    path: str | None = None
    source: str = ""
    roots: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    takes_arguments: bool = True
    around: str = ""


def find_training(target: Target, cwd: str, environment: Mapping[str, str]) -> tuple[str | None, ResumeMethod]:
    """Returns the source file of a target in `cwd`, None if it is not found, and how it takes a checkpoint."""
    training = _locate(target, cwd, environment)
    return training.path, _resume_method(training, cwd, _program_template(target))


def script_options(command: Sequence[str], cwd: str, environment: Mapping[str, str]) -> tuple[str, ...]:
    """The options that the script of a command defines; none if its source is not found."""
    return all_options(_locate(find_target(command), cwd, environment).source)


def _resume_method(training: TrainingSource, cwd: str, known: str | None) -> ResumeMethod:
    arguments = training.arguments
    if training.path is None:
        channel = None if known else resume_channel(training.around, arguments)
        return ResumeMethod(template=known, channel=channel, obstacle=None if known else "its source was not found")
    source, template = training.source, resume_template(training.source, arguments)
    if template is None:
        source = "\n".join([source, *_imported_sources(training)])
        template = resume_template(source, arguments) or _configured_template(training, source, cwd) or known
    if template is not None and training.takes_arguments:
        return ResumeMethod(template=template)
    channel = resume_channel(f"{source}\n{training.around}", arguments)
    if template is None:
        return ResumeMethod(channel=channel)
    obstacle = f'its shell script does not pass on its arguments ("$@"), so {template.split()[0]} cannot be added'
    return ResumeMethod(channel=channel, obstacle=obstacle)


def _program_template(target: Target) -> str | None:
    """Returns the resume arguments of a framework's own program; None if it is not a known one."""
    is_known = target.kind is TargetKind.PROGRAM and target.name in ("fairseq-train", "fairseq-hydra-train")
    return "--restore-file {path}" if is_known else None


def _locate(target: Target, cwd: str, environment: Mapping[str, str]) -> TrainingSource:
    """The source of a target in the directory `cwd`, followed through shell scripts."""
    around = target.word if target.kind is TargetKind.CODE else ""
    for _ in range(_MAX_SHELLS):
        folder = os.path.normpath(os.path.join(cwd, target.directory or ""))
        searched = [path for path in dict(target.variables).get("PYTHONPATH", "").split(os.pathsep) if "$" not in path]
        searched += environment.get("PYTHONPATH", "").split(os.pathsep)
        roots = [os.path.join(folder, path) for path in searched if path and "site-packages" not in path]
        path, first_root = _path_of(target, folder, roots, environment)
        source = "" if path is None else source_of(path)
        if path is None or not _is_shell_script(path, source):
            roots = [first_root or folder, *roots]
            return TrainingSource(
                path=path,
                source=source,
                roots=tuple(dict.fromkeys(map(os.path.normpath, roots))),
                arguments=target.arguments,
                takes_arguments=target.takes_arguments,
                around=around,
            )
        around += source
        inner = shell_target(source, os.path.dirname(path))
        if inner is None:
            break
        passed = inner.takes_arguments and target.takes_arguments
        arguments = (*inner.arguments, *target.arguments) if passed else inner.arguments
        variables = (*target.variables, *inner.variables)
        target = replace(inner, arguments=arguments, takes_arguments=passed, variables=variables)
        cwd = folder
    return TrainingSource(around=around)


def _path_of(
    target: Target, folder: str, roots: Sequence[str], environment: Mapping[str, str]
) -> tuple[str | None, str | None]:
    """The file of a target, and the directory that Python puts first on its path; each None if unknown."""
    if target.kind is TargetKind.SCRIPT:
        path = os.path.join(folder, os.path.expanduser(target.word))
        if os.path.isdir(path):
            path = os.path.join(path, "__main__.py")
        return (path, os.path.dirname(path)) if os.path.isfile(path) else (None, None)
    if target.kind is TargetKind.MODULE:
        return _find_module(target.word, [folder, *roots], main=True), folder
    return _of_program(target.word, folder, roots, environment) if target.kind is TargetKind.PROGRAM else (None, None)


def _of_program(
    program: str, folder: str, roots: Sequence[str], environment: Mapping[str, str]
) -> tuple[str | None, str | None]:
    """A script without an extension, or the module of a console script whose package is local or editable."""
    places = [folder] if os.sep in program else environment.get("PATH", os.defpath).split(os.pathsep)
    path = next((path for place in places if os.path.isfile(path := os.path.join(folder, place, program))), None)
    head = "" if path is None else source_of(path, _HEAD_BYTES)
    if path is None or not head.startswith("#!"):
        return None, None
    entry = re.search(_ENTRY_POINT, head, re.MULTILINE)
    if entry is None:
        return (path, os.path.dirname(path)) if "sh" in head.partition("\n")[0] or "python" in head else (None, None)
    import glob

    libraries = os.path.join(os.path.dirname(os.path.dirname(path)), "lib/python3*/site-packages")
    for link in glob.glob(os.path.join(libraries, "__editable__*.pth")):
        roots = [*roots, *(line for line in source_of(link, _HEAD_BYTES).splitlines() if os.path.isdir(line))]
    for root in [folder, *roots]:
        module = _find_module(entry[1], [root])
        if module is not None:
            return module, root
    return None, None


def shared_output(source: str, commands: Sequence[Sequence[str]]) -> tuple[str, str] | None:
    """The option for output and its value if that is the same in all these command lines; None if that is not known.

    A script that reads which run it is may make directories of its own.
    """
    options = output_options(source)
    if "BACKPROP_RUN_" in source or not options:
        return None
    shared: list[tuple[str, str]] = []
    for option, default in options.items():
        values = {_option_value(command, option, default) for command in commands}
        if len(values) > 1:
            return None
        shared += [(option, value) for value in values if value]
    return shared[0] if shared else None


def _option_value(command: Sequence[str], option: str, default: str | None) -> str | None:
    value = default
    for word, following in zip(command, (*command[1:], None), strict=True):
        name, equals, given = word.partition("=")
        if name == option:
            value = given if equals else following
    return value


def _is_shell_script(path: str, source: str) -> bool:
    first_line = source.partition("\n")[0]
    return path.endswith((".sh", ".bash")) or re.match(r"#!.*\b(?:ba|z|da|k)?sh\b", first_line) is not None


def source_of(path: str, limit: int = MAX_SOURCE_BYTES) -> str:
    """The beginning of a script as text, in whatever encoding; empty if it cannot be read."""
    try:
        return read_regular(path, limit, cut=True).decode("utf-8", "replace")
    except OSError:
        return ""


def _find_module(name: str, roots: Sequence[str], *, main: bool = False) -> str | None:
    """The file of a module, of a package its `__init__`, or with `main` what `python -m` executes of it."""
    for root in roots:
        path = os.path.join(root, *name.split("."))
        for file in (os.path.join(path, "__main__.py" if main else "__init__.py"), f"{path}.py"):
            if os.path.isfile(file):
                return file
    return None


def _imported_sources(training: TrainingSource) -> Iterator[str]:
    """The source of local modules, imported directly or not, that may concern resuming.

    Functions and classes that the importing module does not use are left out.
    """
    if training.path is None:
        return
    seen, left = {training.path}, MAX_RELEVANT_BYTES
    queue = deque([(training.source, os.path.dirname(training.path))])
    while queue:
        source, folder = queue.popleft()
        names: set[str] | None = None
        for path in _imported_files(source, folder, training.roots):
            if path in seen:
                continue
            if len(seen) > MAX_IMPORTED_FILES or left < 0:
                return
            seen.add(path)
            text = source_of(path, MAX_IMPORTED_BYTES)
            if re.search(_RELEVANT, text):
                names = _used_names(source) if names is None else names
                left -= len(text)
                text = _named_parts(text, names)
                yield text
            queue.append((text, os.path.dirname(path)))


def _imported_files(source: str, folder: str, roots: Sequence[str]) -> Iterator[str]:
    for statement in re.finditer(_IMPORT, source, re.MULTILINE):
        if statement[3] is not None:
            modules = [(name.split() or [""])[0] for name in statement[3].split(",")]
            places = roots
        else:
            module = statement[1].lstrip(".")
            level = len(statement[1]) - len(module)
            above = os.path.join(folder, *[os.pardir] * (level - 1)) if level else ""
            places = [os.path.normpath(above)] if level else roots
            parts = [(name.split() or [""])[0] for name in statement[2].strip("() \n").split(",")]
            modules = [module, *(f"{module}.{part}".lstrip(".") for part in parts)]
        for module in modules:
            path = _find_module(module, places) if re.fullmatch(r"[\w.]+", module) else None
            if path is not None:
                yield path


def _used_names(source: str) -> set[str]:
    """The names that a module may use of others: imports and attributes; every word if it imports `*`."""
    if re.search(r"\bimport[ \t]+\*", source) is not None:
        return set(re.findall(_WORD, source))
    imported = " ".join(statement[2] or "" for statement in re.finditer(_IMPORT, source, re.MULTILINE))
    return set(re.findall(_WORD, imported)) | set(re.findall(rf"\.({_WORD})", source))


def _named_parts(source: str, names: set[str]) -> str:
    """An imported module without its `__main__` block and without functions and classes that are not used."""
    parts: list[tuple[str | None, str]] = []
    decorators = ""
    for chunk in re.split(r"^(?=[A-Za-z_@])", source, flags=re.MULTILINE):
        if chunk.startswith("@"):
            decorators += chunk
            continue
        defined = re.match(r"(?:async\s+def|def|class)\s+(\w+)", chunk)
        if re.match(r"if\s+__name__\b", chunk) is None:
            parts.append((None if defined is None else defined[1], decorators + chunk))
        decorators = ""
    kept = [text for name, text in parts if name is None]
    waiting = {name: text for name, text in parts if name is not None}
    named = names | {word for text in kept for word in re.findall(_WORD, text)}
    while reached := waiting.keys() & named:
        for name in reached:
            kept.append(text := waiting.pop(name))
            named |= set(re.findall(_WORD, text))
    return "".join(kept)


def _configured_template(training: TrainingSource, source: str, cwd: str) -> str | None:
    """The `key=value` word of a script that Hydra or OmegaConf configures, from its YAML files."""
    if training.path is None or ("hydra" not in source and "OmegaConf" not in source):
        return None
    from backprop_tui.domain.resume_keys import hydra_config, key_template, leaves, omegaconf_files

    config = hydra_config(source, training.arguments)
    if config is not None:
        folder = os.path.join(os.path.dirname(training.path), config.folder)
        return key_template(_hydra_values(folder, config.name, training.arguments), training.arguments)
    files = omegaconf_files(source, training.arguments)
    if files is None:
        return None
    values: dict[str, str] = {}
    for name in files[:_MAX_CONFIG_FILES]:
        for folder in (cwd, os.path.dirname(training.path)):
            values |= leaves(source_of(os.path.join(folder, name), MAX_IMPORTED_BYTES))
    return key_template(values, training.arguments)


def _hydra_values(folder: str, name: str, arguments: Sequence[str]) -> dict[str, str]:
    from backprop_tui.domain.resume_keys import is_global, leaves, parts_of

    values: dict[str, str] = {}
    queue, seen = deque([(name, "")]), 0
    while queue and seen < _MAX_CONFIG_FILES:
        name, prefix = queue.popleft()
        seen += 1
        text = source_of(os.path.join(folder, f"{name}.yaml"), MAX_IMPORTED_BYTES)
        prefix = "" if is_global(text) else prefix
        values = leaves(text, prefix) | values
        queue += [(part, prefix + inner) for part, inner in parts_of(text, arguments)]
    return values
