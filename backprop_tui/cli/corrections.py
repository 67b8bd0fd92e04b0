"""Suggests what was meant by a wrong command line: words of other tools, misspelled words, missing arguments."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from backprop_tui.cli import parser
from backprop_tui.domain.errors import BackpropError, UsageError
from backprop_tui.domain.similar import nearest
from backprop_tui.domain.status import Status
from backprop_tui.presentation.states import status_word

if TYPE_CHECKING:
    import argparse

_SCRIPT = "SCRIPT"
_MOST_BEGUN = 3
_SURE = 0.85  # how similar a word of another tool must be: many of them are short

# Words of other tools that do not mean exactly the same as one of our commands, by the command that they follow, and
# the line to type; several lines with the purpose of each. Words in capitals stand for what follows.
_WORDS: dict[str, dict[str, str | dict[str, str]]] = {
    "": {
        "add submit enqueue exec execute launch train new create sbatch srun qsub gbatch": "run SCRIPT",
        "start": {"a script": "run SCRIPT", "a run that has ended": "resume RUN", "a paused run": "continue RUN"},
        "restart rerun retry requeue": {
            "from its newest checkpoint": "resume RUN",
            "from the start, with its arguments": "run --like RUN",
            "a script": "run SCRIPT",
        },
        "kill abort terminate -k": {"with time to save": "stop RUN", "at once": "stop --now RUN"},
        "scancel gcancel qdel end dequeue": "stop RUN",
        "delete del purge": "remove RUN",
        "prune gc cleanup": "clean --older-than 30d",
        "suspend freeze": "pause RUN",
        "unpause cont fg bg": "continue RUN",
        "attach tail follow -t": "logs -f RUN",
        "log cat less output -c": "logs RUN",
        "info inspect describe details -i": "status RUN",
        "jobs runs history squeue qstat gqueue sacct -l": "list",
        "watch monitor": "status --watch",
        "dashboard tui ui gui open": "",
        "demo": "--demo",
        "gpu gpus nvidia-smi nodes sinfo machine stats": "status",
        "plot curve curves metrics best results": "show RUN",
        "diff": "compare RUN",
        "sweep grid array": "run SCRIPT --sweep KEY=V1,V2",
        "hold": "queue hold",
        "release": "queue release",
        "move": "queue move RUN --to N",
        "priority": "queue priority RUN N",
        "rename": "edit RUN --name NAME",
        "set": "config set KEY VALUE",
        "get settings": "config show",
        "init setup": "config init",
        "check health": "doctor",
    },
    "queue": {
        "list ls show status": "queue",
        "pause stop": "queue hold",
        "resume continue start": "queue release",
        "up top first": "queue move RUN --to 1",
        "add push": "run SCRIPT",
        "remove rm delete cancel": "stop RUN",
    },
    "config": {"get list ls": "config show", "edit": {"its file": "config path", "one key": "config set KEY VALUE"}},
}

# For our options those of other tools; it is suggested for a command that has it.
_OPTION_WORDS = {
    "--now": "-f --force --kill -k -s --signal",
    "--yes": "-f -rf --force --assume-yes",
    "--max-run-minutes": "-t --time --time-limit --timeout --walltime --duration --max-time --minutes --timebox",
    "--name": "-J --job-name --title",
    "--tag": "-l --label",
    "--gpu-ids": "--gpu-id --device --devices --cuda --cuda-visible-devices",
    "--gpu-ids, or --gpus for a number of them": "--gpu",
    "--gpus": "-G --gres --ngpus --num-gpus --gpus-per-node",
    "--after": "-W --dependency --depend --depends-on --afterok --afterany",
    "--sweep": "--array --grid",
    "--min-free-ram": "--mem --memory --ram",
    "--cwd": "-C -D -w --chdir --workdir --working-directory --directory",
    "--detach": "-b --background --bg --daemon",
    "--env": "-e --export",
    "--lines": "-t --tail",
    "--follow": "-F --watch",
    "--status": "--filter --state -s",
    "--limit": "-n --lines --head --last",
    "--all": "-a -A",
    "--python": "--interpreter --venv",
    "--resume-from": "--checkpoint --ckpt",
    "--priority": "--nice --prio",
    "--retries": "--retry --requeue",
    "--older-than": "--age --days --before",
    "--no-ui": "--headless --no-tui --no-dashboard --batch",
    "--json": "--format",
    "--dry-run": "--test --simulate --pretend",
    "--verbose": "--debug",
    "--verbose or --version": "-v",
}


def unknown_command(name: str, rest: Sequence[str]) -> UsageError:
    """The error for a word that is not a command; `rest` are the words after it, without global options."""
    rest = [word for word in rest if word not in parser.HELP_OPTIONS]
    hint = (
        in_our_words(name, rest)
        or _without_quotes(name, rest)
        or _explained([name, *rest])
        or _misspelled(name, rest)
        or _reordered([name, *rest])
    )
    return UsageError(f"unknown command {name!r}", hint or "backprop-tui --help lists all commands")


def _misspelled(name: str, rest: Sequence[str]) -> str | None:
    """The line with the command that is spelled alike, or with ours for a word of another tool that is."""
    near = nearest(name, parser.COMMANDS)
    if near is not None:
        line = [near, *rest]
        return f"did you mean {_line(line) if rest and _is_understood(line) else near}?"
    others = [word for words in _WORDS[""] for word in words.split() if not word.startswith("-")]
    near = nearest(name, [*parser.SYNONYMS, *others], least=_SURE)
    if near is None:
        return None
    if near in parser.SYNONYMS:
        return f"did you mean {_line([near, *rest])}?"
    meant = in_our_words(near, rest) or ""
    return f"did you mean {near}? {meant[:1].upper()}{meant[1:]}"


def _explained(words: Sequence[str]) -> str | None:
    """The line that explains the words, if they name something of this program."""
    from backprop_tui.config.keys import KEYS
    from backprop_tui.presentation.glossary import GLOSSARY, asked_word, is_among

    asked = asked_word(" ".join(words))
    names = [*(word.name for word in GLOSSARY), *KEYS, *(key.leaf for key in KEYS.values())]
    return f"for what it means, type: {_line([parser.HELP, *asked.split()])}" if is_among(asked, names) else None


def unknown_option_before(words: Sequence[str]) -> UsageError:
    """The error for a command line that begins with an option that is not global."""
    name = words[0].lstrip("-")
    if name in parser.COMMANDS or name in parser.SYNONYMS:
        hint: str | None = f"did you mean {_line([name, *words[1:]])}?"
    else:
        known = _reordered(words) or in_our_words(words[0], words[1:])
        hint = known or _option_hint(words[0], parser.GLOBAL_OPTIONS)
    return UsageError(f"unknown option {words[0]} before a command", hint or "see: backprop-tui --help")


def explain(refusing: parser.CommandParser, message: str) -> UsageError:
    """The error for what argparse refused, in our words."""
    help_ = f"see: {refusing.prog} --help"
    unknown, missing = "unrecognized arguments: ", "the following arguments are required: "
    if message.startswith(unknown):
        problem, hint = unknown_argument(refusing, message.removeprefix(unknown).split(maxsplit=1)[0])
        return UsageError(problem, hint or help_)
    if message.startswith(missing):
        return _misspelled_option(refusing) or UsageError(message, f"type: {_required_line(refusing)}")
    action = re.match(r"argument ACTION: invalid choice: '(.*?)' \(", message)
    meant = _choice_hint(refusing, message) if action is None else _action_hint(refusing, action[1])
    return UsageError(message.removeprefix("argument "), meant or help_)


def _misspelled_option(refusing: parser.CommandParser) -> UsageError | None:
    """The error for the first word that is probably a misspelled option: it may be the one that is missing."""
    unknown = (word for word in refusing.given if word.startswith("-") and refusing.option_length(word) is None)
    answers = (unknown_argument(refusing, word) for word in unknown if word not in ("-", "--"))
    return next((UsageError(problem, hint) for problem, hint in answers if hint and hint.startswith("did you")), None)


def _choice_hint(refusing: parser.CommandParser, message: str) -> str | None:
    """The value that is spelled like one which an option does not take; the message begins with the option."""
    refused = re.match(r"argument (\S+): .*?'(.*?)'", message)
    if refused is None:
        return None
    names = refused[1].split("/")
    actions = [action for action in refusing.actions() if set(names) & set(action.option_strings)]
    near = nearest(refused[2], [str(choice) for action in actions for choice in _values_of(action)])
    return f"did you mean {names[-1]} {near}?" if near else None


def unknown_argument(refusing: parser.CommandParser, word: str) -> tuple[str, str | None]:
    """What is wrong with a word that a command does not take, and what to type instead if that is known."""
    if not word.startswith("-"):
        return f"unexpected argument {word}", None
    name = word.partition("=")[0]
    options = [option for action in refusing.actions() for option in action.option_strings]
    meant = _option_with_value(refusing, name.lstrip("-"))
    hint = f"did you mean {meant}?" if meant else _option_hint(name, [*options, *parser.GLOBAL_OPTIONS])
    return f"unknown option {name}", hint


def _option_with_value(refusing: parser.CommandParser, value: str) -> str | None:
    """`--format csv` for csv, if the command has an option that takes that value."""
    for action in refusing.actions():
        if action.option_strings and value in set(_values_of(action)):
            return f"{action.option_strings[-1]} {value}"
    return None


def _values_of(action: argparse.Action) -> Collection[str]:
    """The values that an option takes, if it takes only some."""
    if "--status" in action.option_strings:
        return [status_word(status) for status in Status]
    return list(action.choices or ())


def in_our_words(word: str, rest: Sequence[str] = (), command: str = "") -> str | None:
    """The lines to type for a word of another tool, as a command or after one of ours; None if it is not known."""
    answers = (lines for words, lines in _WORDS.get(command, {}).items() if word.lower() in words.split())
    answer = next(answers, None)
    if answer is None or isinstance(answer, str):
        return None if answer is None else f"type: {_filled(answer, rest)}"
    if rest and parser.is_runnable(rest[0]):
        answer = {purpose: line for purpose, line in answer.items() if _SCRIPT in line} or answer
    return "; ".join(f"{purpose}: {_filled(line, rest)}" for purpose, line in answer.items())


def _filled(template: str, rest: Sequence[str]) -> str:
    """A command line with what was typed, if that is what it needs and can be parsed."""
    words = template.split()
    typed = [word for word in rest if word not in words and re.fullmatch(r"-\d+", word) is None]
    start = next((index for index, word in enumerate(words) if word.isupper()), len(words))
    end = next((index for index in range(start, len(words)) if not words[index].isupper()), len(words))
    filled = [*words[:start], *typed, *words[end:]]
    fits = bool(typed) and (_SCRIPT in words) == parser.is_runnable(typed[0])
    return _line(filled if fits and _is_understood(filled) else words)


def _line(words: Sequence[str]) -> str:
    return shlex.join(["backprop-tui", *words])


def _is_understood(words: Sequence[str]) -> bool:
    if words[:1] == [parser.HELP] or not set(parser.HELP_OPTIONS).isdisjoint(words):
        return words[0] == parser.HELP  # without parsing it, which would print the help
    try:
        return parser.parse(words).execute is not None
    except (BackpropError, SystemExit):
        return False


def _reordered(words: Sequence[str]) -> str | None:
    """The line with the command first, if there is a command among the words; `run` if there is a script."""
    for index, word in enumerate(words):
        is_command = word in parser.COMMANDS or word in parser.SYNONYMS
        if is_command or parser.is_runnable(word):
            line = [word, *words[:index], *words[index + 1 :]] if is_command else [parser.RUN, *words]
            if _is_understood(line):
                return f"the command comes first: {_line(line)}"
    return None


def _without_quotes(name: str, rest: Sequence[str]) -> str | None:
    """The line for a whole command line that was quoted, with the command or without."""
    if re.search(r"\s", name) is None:
        return None
    lines = ([*name.split(), *rest], [parser.RUN, name, *rest])
    line = next((line for line in lines if _is_understood(line)), None)
    return None if line is None else f"the quotes make it one word, so type: {_line(line)}"


def _option_hint(name: str, options: Collection[str]) -> str | None:
    """What to type instead of an option that is not among `options`."""
    meanings = ((text, words.split()) for text, words in _OPTION_WORDS.items())
    meant = (text for text, words in meanings if name in words and re.split(r"[, ]", text)[0] in options)
    near = next(meant, None) or nearest(name, options) or _begun(name, options) or _option_like_another(name, options)
    if near is not None:
        return f"did you mean {near}?"
    commands = [command for command in parser.COMMANDS if name in _options_of(command)]
    return f"it is an option of backprop-tui {', '.join(commands)}" if commands else None


def _begun(name: str, options: Collection[str]) -> str | None:
    """The options that begin like this; None if they are too many to be a suggestion."""
    longer = sorted({option for option in options if name.startswith("--") and option.startswith(name)})
    return " or ".join(longer) if 0 < len(longer) <= _MOST_BEGUN and name != "--" else None


def _option_like_another(name: str, options: Collection[str]) -> str | None:
    """What to type instead of a misspelled option of another tool, if that is among `options`."""
    ours = {word: text for text, words in _OPTION_WORDS.items() for word in words.split() if word.startswith("--")}
    known = {word: text for word, text in ours.items() if re.split(r"[, ]", text)[0] in options}
    near = nearest(name, known, least=_SURE) if name.startswith("--") else None
    return None if near is None else known[near]


def _options_of(command: str) -> Iterator[str]:
    for action in parser.command_parser(command, parser.load(command)).actions():
        yield from action.option_strings


def _required_line(refusing: parser.CommandParser) -> str:
    words = [refusing.prog]
    for action in refusing.actions():
        if action.required:
            choices = f"{{{','.join(action.choices)}}}" if action.choices else None
            words += [*action.option_strings[-1:], choices or str(action.metavar or action.dest.upper())]
    return " ".join(words)


def _action_hint(refusing: parser.CommandParser, word: str) -> str | None:
    """What to type instead of a word after `queue` or `config` that is none of its actions."""
    command = refusing.prog.split()[-1]
    known = in_our_words(word, command=command) or _assignment(command, word)
    near = nearest(word, [name for action in refusing.actions() for name in action.choices or ()])
    return known or (f"did you mean {near}?" if near else None)


def _assignment(command: str, word: str) -> str | None:
    """The line for `config KEY VALUE` and `config KEY=VALUE`, as other tools have it."""
    from backprop_tui.config.keys import KEYS

    key, _, value = word.partition("=")
    return f"type: {_line(['config', 'set', key, value or 'VALUE'])}" if command == "config" and key in KEYS else None
