"""Finds in the source of a script how it takes a checkpoint: by an option, a `key=value`, or by itself."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice

from backprop_tui.domain.arguments import LITERAL, Argument, OptionSyntax, parse_arguments
from backprop_tui.domain.invocation import RESUME_VARIABLE, resumes_by
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.lifecycle import is_sliced
from backprop_tui.domain.run import Queued, ResumeChannel, Run
from backprop_tui.domain.similar import nearest

ArgumentChange = tuple[Argument | None, Argument | None]  # before and now; None: it was added, or removed

# Names of options that take a checkpoint to resume from, the most explicit first: from the examples of Hugging Face and
# accelerate, from Lightning, fairseq, pytorch/examples and timm. `-` and `_` are the same in them.
RESUME_NAMES = (
    *("resume_from_checkpoint", "resume_from", "resume_from_path", "resume_from_ckpt", "resume_path"),
    *("resume_checkpoint_path", "resume_ckpt_path", "resume_checkpoint", "resume_ckpt", "resume_file"),
    *("restore_file", "restore_from", "restore_path", "continue_from", "ckpt_path", "resume"),
)
_DASHES = ("-", "–", "—")  # those of a typesetter come with what is pasted from a page
_CALL = r"(?:add_argument|(?:click\.|@)option|typer\.Option)\("
_NAME = r"\s*['\"](-[^'\"\n]{0,80})['\"]\s{0,80}(?:,|$)"
_TYPER_DEFAULT = r"[^,'\"()]{0,80},"
_ABSL = r"\bDEFINE_(string|bool|boolean)\(\s{0,80}['\"](\w{1,80})['\"]"
_MAX_DEFINITION_LENGTH = 2_000
_MAX_DEFINITIONS = 1_000
_SWITCH = r"store_true|is_flag\s*=\s*True|BooleanOptionalAction"
_NO_VALUE = rf"{_SWITCH}|store_false|store_const|append_const|action\s*=\s*['\"](?:count|version)|\bcount\s*=\s*True"
_LIST = r"nargs\s*=\s*(?:['\"][+*]|[2-9]|[\w.]*REMAINDER)"
_TRUTH = r"type\s*=\s*(?:\w+\.)?\w*bool\w*"
_CHOICES = r"(?:choices\s*=\s*[\[({]|Choice\(\s*[\[(]|Literal\[)([^\])}]*)[\])}]"
_WRITTEN_VALUE = r"'([^'\n]*)'|\"([^\"\n]*)\"|(-?\d[\d.]*)"
_MAY_BE_BARE = r"nargs\s*=\s*['\"]\?"
_NO_PATH = r"choices\s*=|store_false|type\s*=\s*(?:int|float)\b"

# Calls that derive options from the parameters of a function or the fields of a dataclass.
_FROM_SIGNATURE = r"\b(typer\.run|fire\.Fire|tyro\.cli|HfArgumentParser|add_arguments)\(([^)]{0,300})"
_PARAMETER = r"^\s*(\w+)\s*(?::\s*([^=\n]+?))?\s*(?:=\s*([^\n#]*?))?\s*,?\s*(?:#.*)?$"

# An option for output, without dashes and dots: out, save_dir, checkpoint-dir, logdir, run_directory.
_OUTPUT = (
    r"(?:out|outputs?|saves?|results?)(?:to|path|dir|directory|folder)?|"
    r"(?:ckpts?|checkpoints?|logs?|logging|runs?|exp|experiments?|work)(?:dir|directory|folder)"
)
_TEXT_DEFAULT = r"\bdefault\s*=\s*(?:[\w.]+\()?['\"]([^'\"]+)['\"]"
_NUMBER_DEFAULT = r"\bdefault\s*=\s*(\d+)\s*(?:,|$)"

_READS_VARIABLE = r"BACKPROP_RESUME_FROM|\bbackprop_tui\b[. ]\s*(?:report|callbacks|import report)"
# The framework's own search for the newest checkpoint, or an option that asks for it.
_FINDS_ITSELF = (
    r"\bBackupAndRestore\(|\b(?:get_last|find_latest|latest)_checkpoint\(|\brestore_or_initialize\(|"
    r"\bckpt_path\s*=\s*['\"]last['\"]|\bauto_resume\s*=\s*True|\bresume(?:_from_checkpoint)?\s*=\s*(?:True\b|['\"]auto['\"])"
)
_ASKED_TO_FIND = (
    r"\s(?:--auto[-_]resume|--init_from=resume|"
    r"(?:--)?[\w.-]*resume[\w.-]*[= ](?:auto|latest|last|[Tt]rue|must))(?=\s)"
)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class ResumeMethod:
    """How a script takes a checkpoint; `template` are the arguments to add, with `{path}` for the checkpoint.

    `template` and `channel` are None if no way is known. `obstacle` says why an option that exists cannot be used.
    """

    template: str | None = None
    channel: ResumeChannel | None = None
    obstacle: str | None = None


def resume_advice(run: Run, method: ResumeMethod, *, where: str = "") -> str | None:
    """What to do if a run has a checkpoint or will have one, and no known way passes it to the script; else None.

    `where` says where options are given, if not on a command line.
    """
    has_checkpoint = isinstance(run.state, Queued) and run.state.resume_from is not None
    if not (has_checkpoint or is_sliced(run.spec)) or resumes_by(run.spec) is not None:
        return None
    reason = method.obstacle or "no option that takes a checkpoint was found in its source"
    return (
        f"{run.label}: {reason}: its checkpoint is passed in {RESUME_VARIABLE} only. A script that does not read it "
        f"starts over; give --resume-arg '--your-flag {{path}}'{where}, or read the variable in the script"
    )


def resume_channel(source: str, arguments: Sequence[str]) -> ResumeChannel | None:
    if re.search(_READS_VARIABLE, " ".join([source, *arguments])) is not None:
        return ResumeChannel.ENVIRONMENT
    asked = re.search(_ASKED_TO_FIND, f" {' '.join(arguments)} ")
    return ResumeChannel.ITSELF if asked is not None or re.search(_FINDS_ITSELF, source) is not None else None


def resume_template(source: str, arguments: Sequence[str] = ()) -> str | None:
    """Returns the arguments to add, with `{path}` for the checkpoint; None if the source defines no known option.

    `arguments` are those the script is started with: an option of a subcommand needs that subcommand.
    """
    if not _has_subcommands(source):
        options = {flag.lstrip("-").replace("-", "_"): (flag, text) for flag, text in _option_definitions(source)}
        for name in RESUME_NAMES:
            flag, definition = options.get(name, ("", ""))
            if flag.startswith("--") and re.search(_NO_PATH, definition) is None:
                return _flag_template(flag, definition)
    return _framework_template(source, arguments) or _template_of_signature(source)


def _has_subcommands(source: str) -> bool:
    """The source alone does not say which subcommand an option belongs to."""
    commands = re.findall(r"^@\w+\.command\(", source, re.MULTILINE)
    return len(commands) > 1 or re.search(r"\badd_sub(?:parsers|commands)\(", source) is not None


def _flag_template(flag: str, definition: str) -> str:
    """The flag with a path, or alone if it is a switch: then the script finds the checkpoint by itself."""
    if re.search(_SWITCH, definition) is not None:
        return flag
    if re.search(_TRUTH, definition) is not None:
        return flag if re.search(_MAY_BE_BARE, definition) is not None else f"{flag} True"
    return f"{flag} {{path}}"


def defined_options(source: str) -> frozenset[str]:
    """The options of its command line that a source defines, with their dashes."""
    return frozenset(flag for flag, _ in _option_definitions(source))


def all_options(source: str) -> tuple[str, ...]:
    """The options that a source defines, in its order, with those that libraries make of parameters and fields."""
    defined = (name for flag, text in _option_definitions(source) for name in _spellings(flag, text))
    return tuple(dict.fromkeys(chain(defined, (flag for flag, _, _ in _options_of_signatures(source)))))


def _spellings(flag: str, definition: str) -> list[str]:
    """`--a/--no-a` of click are two, and so is a BooleanOptionalAction of argparse."""
    has_negation = flag.startswith("--") and "BooleanOptionalAction" in definition
    negated = [f"--no-{flag[2:]}"] if has_negation else []
    return [*flag.split("/"), *negated]


def option_default(source: str, option: str) -> str | None:
    """The default of an option that is a whole number; None if it is not known."""
    definitions = [text for flag, text in _option_definitions(source) if flag == option]
    defaults = {match[1] for text in definitions if (match := re.search(_NUMBER_DEFAULT, text))}
    is_sure = len(definitions) == len(defaults) == 1 and re.search(r"set_defaults|add_subparsers", source) is None
    return defaults.pop() if is_sure else None


def option_syntax(source: str) -> OptionSyntax:
    """Which of the options that a source defines take no value, which several, and which only some values."""
    definitions = [(name, text) for flag, text in _option_definitions(source) for name in _spellings(flag, text)]
    return OptionSyntax(
        options=frozenset(name for name, _ in definitions),
        switches=frozenset(name for name, text in definitions if re.search(_NO_VALUE, text)),
        lists=frozenset(name for name, text in definitions if re.search(_LIST, text)),
        choices=_choices(source, definitions),
    )


def _choices(source: str, definitions: Sequence[tuple[str, str]]) -> Mapping[str, tuple[str, ...]]:
    """The values of the options that take only some, if they are written out in the definition or in its type.

    An option that is defined more than once, as for several subcommands, may take others each time.
    """
    counts = Counter(name for name, _ in definitions)
    once = [(name, text) for name, text in definitions if counts[name] == 1]
    texts = [*once, *((flag, annotation) for flag, annotation, _ in _options_of_signatures(source))]
    listed = {name: match[1] for name, text in texts if (match := re.search(_CHOICES, text))}
    return {
        name: tuple("".join(value) for value in re.findall(_WRITTEN_VALUE, text))
        for name, text in listed.items()
        if not re.sub(_WRITTEN_VALUE, "", text).strip(", \n\t\r")
    }


def misspelled_options(source: str, words: Sequence[str]) -> Mapping[str, str]:
    """As `misspelled_arguments`, of the words of a command line."""
    if not any(word.startswith(_DASHES) for word in words):
        return {}
    syntax = option_syntax(source)
    return misspelled_arguments(parse_arguments(words, syntax), syntax)


def misspelled_arguments(arguments: Iterable[Argument], syntax: OptionSyntax) -> Mapping[str, str]:
    """The options that are given but that a source does not define, if it defines a similar one: the latter by those.

    A script accepts the beginning of an option, too, and a value or more letters behind a short one.
    """
    given = {argument.name for argument in arguments if argument.name.startswith(_DASHES)} - {LITERAL, *syntax.options}
    meant: dict[str, str] = {}
    for name in sorted(given):
        bare = name.lstrip("".join(_DASHES))
        if name.startswith("--") and any(known.startswith(name) for known in syntax.options):
            continue
        if re.match(r"-[^-]", name):  # `-lr` is probably `--lr`, but `-lr` of a script with `-l` may be right
            near = f"--{bare}" if f"--{bare}" in syntax.options and f"-{bare[0]}" not in syntax.options else None
        else:
            near = nearest(bare, syntax.options)
        if near is not None:
            meant[name] = near
    return meant


def output_options(source: str) -> Mapping[str, str | None]:
    """The options that name a directory for output, with their default if that is known; those for logs come last."""
    options: dict[str, str | None] = {}
    for flag, definition in _option_definitions(source):
        if flag.startswith("--") and names_output(flag) and re.search(_SWITCH, definition) is None:
            default = re.search(_TEXT_DEFAULT, definition)
            options[flag] = None if default is None else default[1]
    return dict(sorted(options.items(), key=lambda option: "log" in option[0]))


def names_output(option: str) -> bool:
    """Whether an option by its name is for a directory for output, such as `--ckpt-dir` and `out`."""
    return re.fullmatch(_OUTPUT, re.sub(r"[-_.]", "", option).lower()) is not None


def kept_outputs(changes: Iterable[ArgumentChange]) -> Iterator[Argument]:
    """The arguments for output that a command has as another one does."""
    for before, now in changes:
        if before is not None and now is not None and before.words == now.words and names_output(now.name):
            yield now


def outdated_output(changes: Sequence[ArgumentChange]) -> str:
    """Where an output, such as `ck/256-1`, has the old value of a changed argument in its name; else empty."""
    changed = {
        before.text: (now.name, now.text)
        for before, now in changes
        if before is not None and before.values and now is not None and before.words != now.words
    }
    for kept in kept_outputs(changes) if changed else ():
        pattern = re.compile("|".join(_part_of_name(old) for old in sorted(changed, key=len, reverse=True)))
        stale = list(dict.fromkeys(changed[match[0]][0] for match in pattern.finditer(kept.text)))
        new = pattern.sub(lambda match: changed[match[0]][1], kept.text)
        if stale:
            return f"{kept.name} {kept.text} has the old {' and '.join(stale)} in it: {new} has the new"
    return ""


def _part_of_name(value: str) -> str:
    """A pattern for a value in the name of a file: `256` is in `bs256-s1`, not in `1256`, and `1` not in `0.1`."""
    before = r"(?<![\d.])" if value[:1].isdigit() else r"(?<![^\W_])"
    return rf"{before}{re.escape(value)}(?![^\W_]|\.\d)"


def _option_definitions(source: str) -> Iterator[tuple[str, str]]:
    """Each option that the source defines and the arguments of its definition; commented-out lines are skipped."""
    for call in islice(re.finditer(_CALL, source), _MAX_DEFINITIONS):
        if _is_comment(source, call.start()):
            continue
        call_arguments = _call_arguments(source[call.end() : call.end() + _MAX_DEFINITION_LENGTH])
        default = re.match(_TYPER_DEFAULT, call_arguments) if call[0].startswith("typer") else None
        position = 0 if default is None else default.end()
        while (name := re.compile(_NAME).match(call_arguments, position)) is not None:
            position = name.end()
            yield name[1], call_arguments
    for flag in islice(re.finditer(_ABSL, source), _MAX_DEFINITIONS) if "DEFINE_" in source else ():
        if not _is_comment(source, flag.start()):
            yield f"--{flag[2]}", "" if flag[1] == "string" else "is_flag=True"


def _is_comment(source: str, position: int) -> bool:
    return source[source.rfind("\n", 0, position) + 1 : position].lstrip().startswith("#")


def _call_arguments(text: str) -> str:
    """The text up to the closing parenthesis of a call whose opening one comes just before `text`."""
    depth = 1
    for parenthesis in re.finditer(r"[()]", text):
        depth += 1 if parenthesis[0] == "(" else -1
        if depth == 0:
            return text[: parenthesis.start()]
    return ""


def _template_of_signature(source: str) -> str | None:
    options = {flag[2:].replace("-", "_"): (flag, *rest) for flag, *rest in _options_of_signatures(source)}
    for name in RESUME_NAMES:
        if name in options:
            flag, annotation, default = options[name]
            is_switch = annotation == "bool" or default in ("True", "False")
            return flag if is_switch else f"{flag}={{path}}"
    return None


def _options_of_signatures(source: str) -> Iterator[tuple[str, str, str]]:
    """Options derived from the parameters of a function or the fields of a dataclass, with annotation and default."""
    if not any(word in source for word in ("typer", "fire", "tyro", "HfArgumentParser", "simple_parsing")):
        return
    for call in islice(re.finditer(_FROM_SIGNATURE, source), _MAX_DEFINITIONS):
        if _is_comment(source, call.start()):
            continue
        names = re.findall(r"\b[A-Za-z_]\w+" if call[1] == "HfArgumentParser" else r"^\s*([A-Za-z_]\w+)", call[2])
        for name, (annotation, default) in chain.from_iterable(_parameters(source, name) for name in names):
            yield f"--{name.replace('_', '-') if call[1] == 'typer.run' else name}", annotation, default


def _parameters(source: str, name: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Each parameter of a function or field of a dataclass with its annotation and default; empty if there is none."""
    function = re.search(rf"^def {name}\(", source, re.MULTILINE)
    if function is not None:
        text = _call_arguments(source[function.end() : function.end() + _MAX_DEFINITION_LENGTH])
        lines = re.split(r",(?![^\[(]*[\])])|\n", text)
    else:
        block = re.search(
            rf"^@dataclass[^\n]*\nclass {name}\b[^\n]*\n((?:[ \t]+[^\n]*\n|\n)*)", source + "\n", re.MULTILINE
        )
        lines = [] if block is None else [line for line in block[1].split("\n") if ":" in line]
    for line in lines:
        parameter = re.match(_PARAMETER, line)
        if parameter is not None:
            yield parameter[1], ((parameter[2] or "").strip(), (parameter[3] or "").strip())


def _framework_template(source: str, arguments: Sequence[str]) -> str | None:
    """For frameworks that define the option on behalf of the script."""
    if "HfArgumentParser" in source and "TrainingArguments" in source and "resume_from_checkpoint" in source:
        return "--resume_from_checkpoint {path}"
    if "LightningCLI" in source and "fit" in arguments and _has_lightning_subcommands(source):
        return "--ckpt_path {path}"
    if re.search(r"^init_from\s*=\s*['\"]", source, re.MULTILINE) is not None and "configurator.py" in source:
        return "--init_from=resume"  # nanoGPT finds the checkpoint in its out_dir
    if "default_argument_parser(" in source and re.search(r"^from detectron2\b", source, re.MULTILINE) is not None:
        return "--resume"  # from the last checkpoint in its output directory
    if re.search(r"^(?:from|import) megatron\b", source, re.MULTILINE) is not None and "pretrain(" in source:
        return "--load {path}"
    return None


def _has_lightning_subcommands(source: str) -> bool:
    """Whether a LightningCLI reads the command line with subcommands: not with `run=False`, nor with its own `args`."""
    classes = "|".join(["LightningCLI", *re.findall(r"\bclass (\w+)\([^)\n]*\bLightningCLI\b", source)])
    calls = [
        _call_arguments(source[call.end() : call.end() + _MAX_DEFINITION_LENGTH])
        for call in islice(re.finditer(rf"\b(?:{classes})\(", source), _MAX_DEFINITIONS)
        if not _is_comment(source, call.start())
    ]
    return bool(calls) and not any(re.search(r"\brun\s*=\s*(?!True\b)|\bargs\s*=", call) for call in calls)
