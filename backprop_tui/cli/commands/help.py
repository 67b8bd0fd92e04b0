"""`help`: explains a word of this program, a setting or an option; `help COMMAND` is the help of a command."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator

from backprop_tui.cli import output, parser
from backprop_tui.cli.corrections import in_our_words
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.session import Session
from backprop_tui.config.keys import KEYS, Key
from backprop_tui.config.kinds import as_text
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.similar import nearest
from backprop_tui.presentation.glossary import GLOSSARY, Word, WordKind, asked_word, folded, is_among

SUMMARY = "explain a command, an option, a setting or a word; `help words` lists the words"

_ALL_WORDS = "words"
_OURS = ("term", "command", "setting", "option")  # what a word of another tool may have the name of as well
_MOST_RELATED = 5
_LEAST_CONTAINED = 3  # letters of a word that is looked for within others


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What a word means; `command` is a line to type, `keys` what keys of the dashboard do about it."""

    word: str
    kind: str
    text: str
    command: str | None = None
    keys: str | None = None

    def lines(self) -> Iterator[str]:
        width = output.width() or output.USUAL_WIDTH
        parts = [f"{self.word}: {self.text}"]
        parts += [f"  to type: {self.command}"] if self.command else []
        parts += [f"  in the dashboard: {self.keys}"] if self.keys else []
        for part in parts:
            indent = "    " if part.startswith(" ") else "  "
            yield from textwrap.wrap(part, width, subsequent_indent=indent, break_on_hyphens=False)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", metavar="WORD", nargs="*", help="such as run, --sweep, max_parallel, timebox, slice")


def execute(arguments: argparse.Namespace, session: Session) -> int:
    asked = asked_word(" ".join(arguments.words))
    if folded(asked) == folded(_ALL_WORDS):
        _list_words(session)
        return OK
    explained = _explanations(asked)
    if not explained:
        raise UsageError(f"help: {asked!r} is no word that is explained here", _suggestion(asked))
    if session.json:
        output.json_value([_as_json(explanation) for explanation in explained])
        return OK
    for number, explanation in enumerate(explained):
        if number:
            output.line()
        for line in explanation.lines():
            output.line(line)
    return OK


def _as_json(explanation: Explanation) -> dict[str, str | None]:
    return {name: getattr(explanation, name) for name in ("word", "kind", "text", "command", "keys")}


def _list_words(session: Session) -> None:
    if session.json:
        output.json_value([_as_json(_of_word(word)) for word in GLOSSARY])
        return
    width, names = output.width() or output.USUAL_WIDTH, max(len(word.name) for word in GLOSSARY)
    for kind in WordKind:
        output.line(f"{kind}:" if kind is next(iter(WordKind)) else f"\n{kind}:")
        for word in GLOSSARY:
            if word.kind is kind:
                title = f"  {word.name:<{names}}  "
                rows = textwrap.wrap(word.text, max(20, width - len(title)), break_on_hyphens=False)
                for number, row in enumerate(rows):
                    output.line((" " * len(title) if number else title) + row)


def _explanations(asked: str) -> list[Explanation]:
    """Everything of this name or with it among its other words, else the lines for a word of another tool."""
    explained = [*_words(asked), *_commands(asked), *_settings(asked)] or list(_by_other_words(asked))
    explained += _options(asked)
    is_ours = any(each.kind in _OURS for each in explained)
    line = None if is_ours else in_our_words(asked)
    if line is not None:
        explained.append(Explanation(word=asked, kind="other tool", text=f"a word of other tools; {line}"))
    return explained


def _words(asked: str) -> Iterator[Explanation]:
    for word in GLOSSARY:
        if is_among(asked, [word.name]) or (word.kind is WordKind.TERM and asked == word.symbol):
            yield _of_word(word)


def _of_word(word: Word) -> Explanation:
    text = word.text if word.kind is not WordKind.MARK else f"in the dashboard, {word.text}"
    return Explanation(
        word=word.name, kind=word.kind.name.lower(), text=text, command=word.command or None, keys=word.keys or None
    )


def _commands(asked: str) -> Iterator[Explanation]:
    if asked in parser.COMMANDS:
        line = f"backprop-tui {asked}"
        yield Explanation(word=line, kind="command", text=parser.load(asked).SUMMARY, command=f"{line} --help")


def _settings(asked: str) -> Iterator[Explanation]:
    """By the whole name, by the name in its table, and by the environment variable."""
    return (_of_setting(key) for key in KEYS.values() if is_among(asked, (key.name, key.leaf, key.variable)))


def _of_setting(key: Key) -> Explanation:
    word = f"{key.name} (setting, default {as_text(key.default)})"
    return Explanation(
        word=word if not key.sample else f"{key.name} (setting)",
        kind="setting",
        text=key.help,
        command="backprop-tui config path" if key.sample else f"backprop-tui config set {key.name} VALUE",
        keys="comma opens the settings" if not key.sample else None,
    )


def _options(asked: str) -> Iterator[Explanation]:
    """An option with its dashes, or a word that is the name of one; each with the commands that have it."""
    commands_of: dict[tuple[str, str], list[str]] = {}
    for command, action in _all_options():
        if asked in action.option_strings or f"--{folded(asked).replace(' ', '-')}" in action.option_strings:
            value = "" if action.nargs == 0 else f" {action.metavar or '|'.join(action.choices or ())}"
            text = str(action.help or "") % {**vars(action), "prog": command}
            commands_of.setdefault((f"{'/'.join(action.option_strings)}{value}", text), []).append(command)
    for (name, text), commands in commands_of.items():
        of = ", ".join(filter(None, commands))
        yield Explanation(word=f"{name} (option of {of})" if of else f"{name} (option)", kind="option", text=text)


def _all_options() -> Iterator[tuple[str, argparse.Action]]:
    """Every option with its command; that of global ones is empty."""
    for name in parser.COMMANDS:
        for action in parser.command_parser(name, parser.load(name)).actions():
            if action.option_strings and "--help" not in action.option_strings:
                yield name, action
    for action in parser.global_parser().actions():
        if "--help" not in action.option_strings:
            yield "", action


def _by_other_words(asked: str) -> Iterator[Explanation]:
    yield from (_of_word(word) for word in GLOSSARY if is_among(asked, [word.also, *word.also.split()]))
    yield from (_of_setting(key) for key in KEYS.values() if is_among(asked, key.synonyms.split()))


def _suggestion(asked: str) -> str:
    """A word that is spelled alike, else those that have this one in their names or meanings."""
    names = [*(word.name for word in GLOSSARY), *parser.COMMANDS, *KEYS, *(key.leaf for key in KEYS.values())]
    near = nearest(asked, names)
    if near is not None:
        return f"did you mean {near}? Type: backprop-tui help {near}"
    related = list(dict.fromkeys(_containing(asked)))[:_MOST_RELATED]
    if related:
        return f"perhaps {', '.join(related)}; `backprop-tui help {_ALL_WORDS}` lists all words"
    return f"`backprop-tui help {_ALL_WORDS}` lists all words, `backprop-tui --help` all commands"


def _containing(asked: str) -> Iterator[str]:
    search = folded(asked)
    if len(search) < _LEAST_CONTAINED:
        return
    texts = [(word.name, f"{word.name} {word.also} {word.text}") for word in GLOSSARY]
    texts += [(key.name, f"{key.name} {key.synonyms} {key.help}") for key in KEYS.values()]
    yield from (name for name, _ in texts if search in folded(name))
    yield from (name for name, text in texts if search in folded(text))
