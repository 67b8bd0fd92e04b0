"""Finds the key that takes a checkpoint in the YAML of a script that Hydra or OmegaConf configures."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.resume_arguments import RESUME_NAMES

_LINE = r"(\s*)([\w.-]+):(?:\s+(.*))?"
_ITEM = r"\s*-\s+(?:override\s+|optional\s+)*(?:/?([\w/.-]+)(?:@([\w.]+))?:\s+)?['\"]?([\w/.-]+)['\"]?\s*$"
_GLOBAL_PACKAGE = r"(?m)^#\s*@package\s+_global_"
_DECORATOR = r"@hydra\.main\(([^)]{0,400})\)"
_LOADED = r"OmegaConf\.load\(\s*['\"]([^'\"\n]{1,200})['\"]"
_READS_DOTLIST = r"OmegaConf\.from_cli\(\s*\)|OmegaConf\.from_dotlist\(\s*(?:sys\.argv|unknown)"
_MAX_LINES = 5_000

# A name without `resume` may mean pretrained weights, unless it is in a section that configures the training.
_TRAINING_SECTIONS = frozenset({"", "train", "trainer", "training", "fit", "runner", "experiment", "run"})
_ONLY_IN_KEYS = ("checkpoint", "checkpoint_path")


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """The YAML file of a script; `folder` is relative to the script's."""

    folder: str
    name: str  # without its ending


def hydra_config(source: str, arguments: Sequence[str]) -> ConfigFile | None:
    """Returns the file that `@hydra.main` names, unless the command line names another; None if it names none."""
    decorator = re.search(_DECORATOR, source)
    if decorator is None:
        return None
    given = dict(re.findall(r"\b(config_path|config_name)\s*=\s*['\"]([^'\"]*)['\"]", decorator[1]))
    for option, short, key in (("--config-path", "-cp", "config_path"), ("--config-name", "-cn", "config_name")):
        for number, word in enumerate(arguments):
            name, equals, value = word.partition("=")
            if name in (option, short):
                given[key] = value if equals else (*arguments, "")[number + 1]
    name = re.sub(r"\.ya?ml$", "", given.get("config_name", ""))
    return ConfigFile(folder=given.get("config_path", "."), name=name) if name else None


def omegaconf_files(source: str, arguments: Sequence[str]) -> list[str] | None:
    """Returns the YAML files that a script with OmegaConf's command line names, or its arguments; None without that."""
    if re.search(_READS_DOTLIST, source) is None:
        return None
    named = [word.rpartition("=")[2] for word in arguments]
    return [*re.findall(_LOADED, source), *(word for word in named if word.endswith((".yaml", ".yml")))]


def leaves(text: str, prefix: str = "") -> dict[str, str]:
    """Returns the plain values of a YAML file by their dotted keys, as written, without comments."""
    values: dict[str, str] = {}
    open_sections: list[tuple[int, str]] = []
    for line in text.splitlines()[:_MAX_LINES]:
        match = re.fullmatch(_LINE, re.sub(r"(?:^|\s)#.*", "", line).rstrip())
        if match is None:
            continue
        indent, key, value = len(match[1]), match[2], match[3]
        open_sections = [section for section in open_sections if section[0] < indent]
        path = ".".join([*(name for _, name in open_sections), key])
        open_sections.append((indent, key))
        values[prefix + path] = value or ""
    # A key with an empty value may be the start of a section.
    return {key: value for key, value in values.items() if not any(other.startswith(key + ".") for other in values)}


def parts_of(text: str, arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each file that the defaults list of a Hydra file includes, without its ending, and the prefix of its keys."""
    defaults = re.search(r"^defaults:[^\n]*\n((?:[ \t]*-[^\n]*\n|[ \t]*#[^\n]*\n|\s*\n)*)", text + "\n", re.MULTILINE)
    chosen = dict(word.split("=", 1) for word in arguments if re.fullmatch(r"[\w/]+=[\w/.-]+", word))
    for line in () if defaults is None else defaults[1].splitlines():
        item = re.fullmatch(_ITEM, re.sub(r"\s#.*", "", line))
        if item is None or item[3] in ("_self_", "null"):
            continue
        group, package, name = item[1], item[2], item[3]
        if group is None:
            yield name, ""
        else:
            yield f"{group}/{chosen.get(group, name)}", f"{package or group.replace('/', '.')}."


def is_global(text: str) -> bool:
    return re.search(_GLOBAL_PACKAGE, text) is not None


def key_template(values: Mapping[str, str], arguments: Sequence[str]) -> str | None:
    """Returns the word to add, with `{path}`, for the clearest key that takes a checkpoint; None if there is none.

    A key on the command line counts too: with `+` it is one that the configuration lacks.
    """
    matches = (re.fullmatch(r"(\+*)([\w.]+)=.*", word) for word in arguments)
    given = {match[2]: match[1] for match in matches if match is not None}
    keys = {**dict.fromkeys(given, ""), **values}
    for name in (*RESUME_NAMES, *_ONLY_IN_KEYS):
        for key in sorted((key for key in keys if key.rpartition(".")[2] == name), key=lambda key: key.count(".")):
            if "resume" not in name and key.rpartition(".")[0] not in _TRAINING_SECTIONS:
                continue
            value = keys[key].lower()
            if value in ("true", "auto", "latest") or re.fullmatch(r"[\[{].*|[\d.]+", value):
                continue
            added = "++" if given.get(key) else ""
            # Quoted for the shell's rules and for Hydra's, whose plain words contain no `=`, as `epoch=3.ckpt` does.
            return f"{added}{key}=true" if value == "false" else f"\"{added}{key}='{{path}}'\""
    return None
