"""The command palette: what it offers, and how its entries are found and drawn."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, cast

from rich.cells import cell_len
from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.command import DiscoveryHit, Hit
from textual.screen import Screen

from backprop_tui.config.keys import KEYS
from backprop_tui.config.kinds import WrongValue, as_text
from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.similar import nearest
from backprop_tui.presentation.glossary import asked_word, is_among
from backprop_tui.presentation.run_fields import FIXED, all_columns
from backprop_tui.presentation.run_order import RunSort
from backprop_tui.presentation.states import PROBLEM_STATUSES, status_word
from backprop_tui.tui.actions import BY_ID, MAIN_ACTIONS, TEXT_ACTIONS, bindings
from backprop_tui.tui.clipboard import copy_text
from backprop_tui.tui.commands import CommandRunner
from backprop_tui.tui.glossary import glossary
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import Line, Piece, Token, clip, heading, hint
from backprop_tui.tui.textual_patches.command_palette import WIDTH, Palette, ReadyProvider
from backprop_tui.tui.textual_patches.dismiss_once import DismissOnce
from backprop_tui.tui.widgets.line_widget import Page

if TYPE_CHECKING:
    from backprop_tui.config.load import Settings
    from backprop_tui.tui.app import Dashboard
    from backprop_tui.tui.screens.main import MainScreen
    from backprop_tui.tui.screens.panes_screen import PanesScreen

_MAX_RUNS = 200
_FAR = 1_000_000  # places in a queue
_VALUE = 20  # cells of the value of a setting
_MARGINS = 8  # cells of a row that are not text, with the frame and the scrollbar
_EXPLAINS, _WITHIN = 0.5, 0.3  # the scores of an explanation, and of letters within a word (`oom` in `zoom`)
_NAMED, _ASKED = 0.7, 1.0  # the scores of an explanation of the very word: after actions, unless it is asked for
_IN_OUR_WORDS = {"job": "run", "jobs": "run", "experiment": "run", "colour": "color", "colours": "color"}
_ASSIGNMENT = re.compile(r"\s*([\w.]+)\s*=\s*(\S.*)")  # a setting and a value


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class PaletteEntry:
    """`key` is shown at the right end; `keywords` find the entry too. `searched`: only listed when it is searched.

    Those that only explain a word, which is `explains`, come last, unless that word or a question about it was typed.
    """

    title: str
    call: Callable[[], object]
    key: str = ""
    keywords: str = ""
    searched: bool = False
    explains: str = ""

    def score(self, search: str) -> float:
        """Returns how well a search matches, from 0 (not at all) to 1."""
        asked = asked_word(search)
        if not self.explains:
            return self._match(search) or self._match(asked) * _EXPLAINS
        if is_among(asked, [self.explains]):
            return _NAMED if asked == search.strip() else _ASKED
        return self._match(asked) * _EXPLAINS

    def _match(self, search: str) -> float:
        """Every word must be in the title or in the keywords; the start of a title's word is worth most."""
        words = [_IN_OUR_WORDS.get(word, word) for word in search.lower().split()]
        title, keywords = self.title.lower(), self.keywords.lower()
        if all(_begins_word(word, title) for word in words):
            return 1.0
        if all(_begins_word(word, f"{title} {keywords}") for word in words):
            return 0.8
        return _WITHIN if all(word in f"{title} {keywords}" for word in words) else 0.0

    def words(self) -> Iterator[str]:
        """What a misspelled search may mean: of an explanation its word alone."""
        texts = [self.explains] if self.explains else [self.title.removeprefix("Setting "), self.keywords]
        yield from (word for text in texts for word in re.findall(r"[\w.]{3,}", text.lower()))

    def drawn(self, width: int, glyphs: Glyphs) -> Text:
        room = max(1, width - cell_len(self.key) - 1)
        title = clip(self.title, room, glyphs)
        return Text.assemble(title, " " * max(1, width - cell_len(title) - cell_len(self.key)), (self.key, "dim"))


def _begins_word(word: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}", text) is not None


class PaletteProvider(ReadyProvider):
    """Offers actions with their keys, orders, runs, settings and themes; on other screens themes only."""

    _settings: Settings | None = None  # read when the palette is opened

    async def startup(self) -> None:
        with suppress(BackpropError):
            self._settings = await self._dashboard.main.commands.settings()
        if isinstance(self.app.screen, Palette):
            self.app.screen.list_again()

    @property
    def _dashboard(self) -> Dashboard:
        return cast("Dashboard", self.app)

    def _entries(self, search: str) -> Iterator[PaletteEntry]:
        main = self._dashboard.main
        if self.screen is main:
            yield from main_entries(main)
            yield from setting_entries(main, search, self._settings)
            yield from help_entries(main)
            number = search.strip().removeprefix(":")
            if number.isascii() and number.isdecimal():
                go = partial(main.go_to_line, int(number))
                yield PaletteEntry(title=f"Go to line {int(number):,} of the log", keywords=search, call=go)
        for name in sorted(self.app.available_themes):
            use = partial(setattr, self.app, "theme", name)
            yield PaletteEntry(title=f"Theme {name}", keywords="colors dark light", call=use)

    def hits(self, search: str) -> Iterator[Hit | DiscoveryHit]:
        """What matches, else what matches the word that is spelled like the search."""
        entries = list(self._entries(search))
        scores = [entry.score(search) for entry in entries]
        if search and not any(scores):
            near = nearest(asked_word(search), {word for entry in entries for word in entry.words()})
            scores = [0.0 if near is None else entry.score(near) for entry in entries]
        width, glyphs = min(WIDTH, self.app.size.width) - _MARGINS, self._dashboard.main.glyphs
        for entry, score in zip(entries, scores, strict=True):
            if search and score:
                yield Hit(score, entry.drawn(width, glyphs), entry.call, text=entry.title)
            elif not (search or entry.searched):
                yield DiscoveryHit(entry.drawn(width, glyphs), entry.call, text=entry.title)


def main_entries(screen: MainScreen) -> Iterator[PaletteEntry]:
    own = screen.offered(screen.user_commands)
    own_keys = {
        target: [command.shown_key for command in own if command.target == target and command.key is not None]
        for target in {command.target for command in own}
    }
    for action in screen.offered(MAIN_ACTIONS):
        if action.title and screen.check_action(action.id, ()):
            act = partial(screen.run_action, action.command)
            keys = " ".join([action.shown, *own_keys.get(action.id, ())])
            yield PaletteEntry(title=action.title, key=keys, keywords=action.synonyms, call=act)
    for target, command in {command.target: command for command in own if command.action is None}.items():
        call = partial(screen.run_user_command, command)
        yield PaletteEntry(title=command.name, key=" ".join(own_keys[target]), keywords=command.line, call=call)
    runs = screen.snapshot.runs
    if screen.offered([BY_ID["later"]]) and screen.check_action("later", ()):
        for title, by in (("front", -_FAR), ("back", _FAR)):
            move = partial(screen.action_move_in_queue, by)
            keywords = "first last end priority reorder"
            yield PaletteEntry(title=f"Move the run to the {title} of the queue", keywords=keywords, call=move)
    for key in dict.fromkeys((*all_columns(runs), *FIXED)):
        field = screen.runs_table.view.column(key)
        if field is not None:
            sort = partial(screen.sort, RunSort.by(key, runs))
            yield PaletteEntry(title=f"Sort by {field.words}", keywords="order", call=sort)
    yield PaletteEntry(title="Default order", keywords="sort unsort groups", call=partial(screen.sort, None))
    failed = sum(run.status in PROBLEM_STATUSES for run in runs)
    show_failed = partial(screen.filter_state, "failed")
    yield PaletteEntry(title=f"Show only failed runs ({failed})", keywords="filter", call=show_failed)
    commands = screen.commands
    copy = partial(_work, screen, _copy_status, commands)
    yield PaletteEntry(title="Copy status as JSON", keywords="clipboard", call=copy)
    doctor = partial(_work, screen, show_doctor, commands)
    yield PaletteEntry(title="Doctor: check the machine, suggest fixes", keywords="health diagnose", call=doctor)
    for run in runs[:_MAX_RUNS]:
        title = f"Go to run {sanitize(run.label)}"
        keywords = f"{run.id} {status_word(run.status)}"
        yield PaletteEntry(title=title, keywords=keywords, call=partial(screen.go_to, run.id), searched=True)


def help_entries(screen: MainScreen) -> Iterator[PaletteEntry]:
    """What the marks and words on the screens mean; settings have entries of their own."""
    for term in glossary(screen.glyphs):
        if not term.setting:
            title = f"Help: {f'{term.glyph} {term.name}'.strip()}, {term.text}"
            explain = partial(screen.open_help, term.name)
            yield PaletteEntry(title=title, keywords=term.also, call=explain, searched=True, explains=term.name)


def setting_entries(screen: MainScreen, search: str, settings: Settings | None = None) -> Iterator[PaletteEntry]:
    """The settings with their values, and the change that a search such as `max_parallel = 2` describes."""
    assignment = _ASSIGNMENT.fullmatch(search)
    for name, key in KEYS.items():
        if key.sample:  # only an editor can change a table
            continue
        if assignment is not None and not screen.snapshot.is_read_only and assignment[1] in (name, key.leaf):
            value = assignment[2].strip()
            call = partial(_work, screen, _set, screen.commands, name, value)
            # The words of the search find the entry.
            yield PaletteEntry(title=f"Set {name} = {value}", keywords=search, call=call, searched=True)
        open_at = partial(screen.open_settings, name)
        value = "" if settings is None else clip(sanitize(as_text(settings[name])), _VALUE, screen.glyphs)
        title = f"Setting {name}"
        yield PaletteEntry(title=title, key=value, keywords=f"{key.help} {key.synonyms}", call=open_at, searched=True)


def _work(screen: MainScreen, work: Callable[..., Coroutine[Any, Any, None]], *arguments: object) -> None:
    screen.work(work(screen, *arguments))


async def _set(screen: MainScreen, commands: CommandRunner, name: str, value: str) -> None:
    try:
        KEYS[name].kind.read(value)
    except WrongValue as error:
        screen.tell(f"{name} = {sanitize(value)}: {error}", bad=True)
        return
    result = await commands.set_config(name, value)
    screen.tell(sanitize(result.message), bad=not result.done)


class TextScreen(DismissOnce, Screen[None]):
    """Scrolls when the text is longer than the screen."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(TEXT_ACTIONS)

    def __init__(self, title: str, lines: Sequence[Line], *, glyphs: Glyphs, token: Token = Token.ACCENT) -> None:
        super().__init__()
        self._title = Piece(title, token, bold=True)
        self._lines = lines
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        yield Page(glyphs=self._glyphs, id="page")

    def show_title(self, title: str, token: Token) -> None:
        self._title = Piece(title, token, bold=True)
        self._draw()

    def show_lines(self, lines: Sequence[Line]) -> None:
        self._lines = lines
        self._draw()

    @on(events.Resize)
    def _draw(self) -> None:
        width = self.app.size.width
        parts = [(2, [self._title]), (max(8, width - 11), hint("esc", "back"))]
        top = heading(parts, width, self._glyphs, focused=True)
        self.query_one(Page).show_content([top, *self._lines])

    def action_scroll(self, rows: int) -> None:
        self.query_one(Page).move(rows)


async def _copy_status(screen: MainScreen, commands: CommandRunner) -> None:
    try:
        status = await commands.status()
    except BackpropError as error:
        screen.tell(sanitize(str(error)), bad=True)
    else:
        copy_text(screen.app, json.dumps(status, indent=2), "the status as JSON")


async def show_doctor(screen: PanesScreen, commands: CommandRunner) -> None:
    screen.tell("Checking the machine")
    try:
        report = await commands.doctor()
    except BackpropError as error:
        screen.tell(sanitize(str(error)), bad=True)
    else:
        lines = [(Piece(f" {sanitize(line)}"),) for line in report]
        screen.app.push_screen(TextScreen("Doctor", [(), *lines], glyphs=screen.glyphs))
