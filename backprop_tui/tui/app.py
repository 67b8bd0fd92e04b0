"""The application: themes, the bridge, and the main screen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import ClassVar, Protocol

from textual import events, on
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.message_pump import MessagePump
from textual.notifications import Notify
from textual.screen import Screen

from backprop_tui.tui.actions import ACTIONS
from backprop_tui.tui.attention import Attention
from backprop_tui.tui.bridge import DigestReady, Post, RunsEnded, StoreFailed, StoreRead
from backprop_tui.tui.charts.source import ChartSource, NoCharts
from backprop_tui.tui.notifications.run_ends import summarize_ends
from backprop_tui.tui.preferences import Preferences
from backprop_tui.tui.requests import Desk
from backprop_tui.tui.screens.main import MainScreen
from backprop_tui.tui.screens.wanted import Wanted
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.theme import DARK, TERMINAL_BACKGROUND, THEMES, theme_colours
from backprop_tui.tui.turns import Handled, Turns, Typed

_TWICE_SECONDS = 2.0
_MOST_TOASTS = 3


class Source(Protocol):
    """What tells of the store: the bridge."""

    def first(self) -> Snapshot:
        """What is known before the first paint."""

    def select(self, run_id: str | None) -> None:
        """Whose story is wanted."""

    def look(self) -> None:
        """All is to be read at once."""

    def request_digest(self) -> None:
        """What happened during the last absence is to be told."""

    async def follow(self, post: Post) -> None:
        """Posts what is new, until it is cancelled."""

    def close(self) -> None:
        """The dashboard ends."""


class Dashboard(App[int]):
    """Ends with an exit code; the runs go on without it."""

    CSS_PATH = "dashboard.tcss"
    TITLE = "backprop"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "interrupt", "leave", show=False, priority=True, tooltip="twice leaves; runs go on")
    ]

    def __init__(
        self,
        bridge: Source,
        desk: Desk,
        preferences: Preferences,
        *,
        charts: ChartSource | None = None,
        selected_run: str | None = None,
        attention: Attention | None = None,
    ) -> None:
        # Without colours changed to true ones, the terminal's own background stays what it is.
        super().__init__(ansi_color=None if preferences.paints_background else True)
        self._attention = attention or Attention()
        self._charts = charts or NoCharts()
        self._bridge = bridge
        self._desk = desk
        self._preferences = preferences
        self._selected_run = selected_run
        self._interrupted_at = float("-inf")
        self._turns = Turns(self._hand_on, lambda: self.screen.is_mounted, self.post_message)
        self.wants_demo = False  # whether it was left for the demo
        self._runs_in: asyncio.AbstractEventLoop | None = None
        self.animation_level = "none"
        self.set_class(not preferences.glyphs.unicode, "-ascii")
        for theme in THEMES:
            self.register_theme(theme)
        if not preferences.paints_background:
            for theme in self.available_themes.values():
                self.register_theme(replace(theme, background=TERMINAL_BACKGROUND))
        self._begin_with(preferences.theme if preferences.theme in self.available_themes else DARK)

    def _begin_with(self, theme: str) -> None:
        if theme != DARK:
            self.theme = theme
            return
        # As dark as what Textual begins with, it needs no second pass over the stylesheet, nor over what it styles.
        self.set_reactive(App.theme, theme)
        self.stylesheet.set_variables(self.get_css_variables())

    def get_css_variables(self) -> dict[str, str]:
        """Our colours too, in the terms of the theme where it does not name them itself."""
        variables = super().get_css_variables()
        self.theme_variables = theme_colours(variables) | variables
        return self.theme_variables

    def get_default_screen(self) -> Screen[None]:
        """Read before the first paint, so that it is whole."""
        self._main = MainScreen(
            self._bridge.first(),
            self._desk,
            self._charts,
            glyphs=self._preferences.glyphs,
            selected_run=self._selected_run,
        )
        return self._main

    def on_mount(self) -> None:
        """Begins to follow the store, once the first paint is there: what it starts would only be in its way."""
        self._runs_in = asyncio.get_running_loop()
        self._main.call_after_refresh(self._follow)

    def _follow(self) -> None:
        self.run_worker(self._bridge.follow(self.post_message), name="bridge", group="bridge", exit_on_error=True)

    def on_unmount(self) -> None:
        """The sampler of our own ends with us."""
        self._bridge.close()
        self._charts.close()

    @on(StoreRead)
    def _store_read(self, message: StoreRead) -> None:
        self._main.take(message.snapshot)

    @on(StoreFailed)
    def _store_failed(self, message: StoreFailed) -> None:
        self._main.fail(message.words)

    @on(DigestReady)
    def _remembered(self, message: DigestReady) -> None:
        self._main.digests.remembered(message.digest, opens=message.opens)

    @on(RunsEnded)
    def _runs_ended(self, message: RunsEnded) -> None:
        lines = summarize_ends([one for one in message.ends if not one.stopped_by_user], _MOST_TOASTS)
        for line in lines:
            self._main.tell(line, bad=any(one.is_problem and line == one.words for one in message.ends))
        if message.problem is not None:
            self._main.tell(message.problem, bad=True)
        if self._attention.is_unseen and self._driver is not None:
            self._driver.write(self._preferences.notices.sequences(lines))

    @on(Notify)
    def _make_room(self) -> None:
        """Before Textual shows another notice: the oldest go, so that at most three are shown."""
        for oldest in list(self._notifications)[: max(0, len(self._notifications) - _MOST_TOASTS + 1)]:
            self._unnotify(oldest, refresh=False)

    @on(events.AppFocus)
    def _focused(self) -> None:
        self._attention.focus(focused=True)
        self._bridge.look()

    @on(events.AppBlur)
    def _unfocused(self) -> None:
        self._attention.focus(focused=False)
        self._bridge.look()  # so that the time of it is noted

    async def on_event(self, event: events.Event) -> None:
        """Every key and the mouse come by here, whoever takes them in the end."""
        if isinstance(event, events.InputEvent | events.Paste):
            self._sign()
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            await self._turns.take(event)
        else:
            await super().on_event(event)

    async def _hand_on(self, event: Typed) -> MessagePump:
        target = self.focused or self.screen
        await super().on_event(event)
        return target

    @on(Handled)
    async def _handled(self, message: Handled) -> None:
        if self.screen_stack:  # there is none any more while it closes
            await self._turns.handled(message.turn)

    def _sign(self) -> None:
        was_present = self._attention.is_present
        self._attention.sign()
        if not was_present:
            self._bridge.look()

    @on(Wanted)
    def _wanted(self, message: Wanted) -> None:
        if message.demo:
            self.wants_demo = True
            self.exit(0)
        elif message.digest:
            self._bridge.request_digest()
        elif message.look:
            self._bridge.look()
        else:
            self._bridge.select(message.run_id)

    def leave(self, code: int) -> None:
        """Ends it, whatever is shown; may be called by a signal handler, while any lock is held."""
        if self._runs_in is not None and self._runs_in.is_running():
            self._runs_in.call_soon_threadsafe(self.exit, code)

    def action_interrupt(self) -> None:
        """ctrl+c: copies what the mouse selected; else says how to leave once, and leaves the second time."""
        selected = self.screen.get_selected_text()
        if selected:
            self.copy_to_clipboard(selected)
            self.screen.clear_selection()
            self.notify("Copied what was selected", timeout=3)
            return
        now = time.monotonic()
        if now - self._interrupted_at < _TWICE_SECONDS:
            self.exit(0)
            return
        self._interrupted_at = now
        self.notify("q leaves, runs go on", timeout=3)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette: every action of the registry, and the themes."""
        main = self._main
        if screen is main:
            for one in ACTIONS:
                if one.built and one.keys and one.id != "palette":
                    press = partial(main.action_press, one.id)
                    yield SystemCommand(one.title, f"key {one.shown}", press)
            for title, words, do in main.viewing.commands():
                yield SystemCommand(title, words, do)
        for name in sorted(self.available_themes):
            yield SystemCommand(f"Theme {name}", "colours of the dashboard", partial(self._use, name))

    def action_command_palette(self) -> None:
        """Ours, unless it is open."""
        from backprop_tui.tui.screens.palette import Palette  # when it is opened, for the sake of the start

        if not isinstance(self.screen, Palette):
            self.push_screen(Palette(id="--command-palette"))

    def _use(self, theme: str) -> None:
        self.theme = theme
