"""The application: themes, keys, the bridge to the store, and the main screen."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events, on
from textual.app import App
from textual.binding import Binding, BindingType
from textual.filter import LineFilter, NoColor
from textual.keys import format_key
from textual.message_pump import MessagePump
from textual.notifications import Notification, Notify
from textual.screen import Screen

from backprop_tui.domain.formatting import counted
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.tui.absence import WindowFocus
from backprop_tui.tui.actions import ACTIONS, CHANGING_COMMANDS
from backprop_tui.tui.bridge import Bridge, DigestReady, EventsRead, RunsEnded, StoreFailed, StoreRead
from backprop_tui.tui.charts.source import ChartSource, NoCharts
from backprop_tui.tui.clipboard import copy_text
from backprop_tui.tui.commands import CommandRunner
from backprop_tui.tui.notifications import EventNotice, KeyNotice, summarize_ends
from backprop_tui.tui.panes.footer import KeysFooter, keys_beside
from backprop_tui.tui.screens.main import MainScreen
from backprop_tui.tui.textual_patches.key_order import KeyHandled, KeyOrPaste, KeyQueue
from backprop_tui.tui.textual_patches.sent_rows import SentRows
from backprop_tui.tui.theme import DARK, TERMINAL_BACKGROUND, THEMES, Preferences, theme_colours

if TYPE_CHECKING:
    from rich.console import RenderableType
    from textual.actions import ActionParseResult
    from textual.command import Provider
    from textual.dom import DOMNode

_NO_COLOR = (NoColor(),)
_SECOND_INTERRUPT_SECONDS = 2.0
_MAX_TOASTS = 3  # that are kept: the newest is shown, and the one before again when it goes
_MAX_ENDS = 3  # in one message
_MODIFIERS = ("shift", "control", "alt", "super", "hyper", "meta", "lock")  # ends of the names of keys
_EVENT_SECONDS = 6.0  # that a message about what happened in the background stays
_LEAST_SECONDS = 1.0  # that bad news stay, whatever is pressed


def _palette_provider() -> type[Provider]:
    from backprop_tui.tui.screens.palette import PaletteProvider

    return PaletteProvider


class Dashboard(App[int]):
    """Ends with an exit code; the runs continue without it."""

    CSS_PATH = "dashboard.tcss"
    TITLE = "backprop"
    ENABLE_COMMAND_PALETTE = True
    COMMANDS: ClassVar = {_palette_provider}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "interrupt", "leave", show=False, priority=True, tooltip="twice leaves; runs continue"),
        Binding("ctrl+z", "suspend_process", "suspend", show=False, priority=True),  # in dialogs too
    ]

    def __init__(
        self,
        bridge: Bridge,
        commands: CommandRunner,
        preferences: Preferences,
        *,
        charts: ChartSource | None = None,
        selected_run: str | None = None,
        focus: WindowFocus | None = None,
    ) -> None:
        # Only if ANSI colors are not converted does the terminal's own background stay as it is.
        super().__init__(ansi_color=None if preferences.paints_background else True)
        self._window_focus = focus or WindowFocus()
        self._charts = charts or NoCharts()
        self._bridge = bridge
        self._commands = commands
        self._preferences = preferences
        self._selected_run = selected_run
        self._interrupted_at = float("-inf")
        self._waiting_events: deque[Notification] = deque(maxlen=_MAX_TOASTS)  # for the answers to expire
        self._key_queue = KeyQueue(self._dispatch, self._takes_keys, self.post_message)
        self._sent_rows = SentRows()
        self.has_unpainted_key = False  # whether the next paint is due at once
        self.wants_demo = False  # whether it exited to show the demo
        self._loop_running: asyncio.AbstractEventLoop | None = None
        self.animation_level = "none"
        self.set_class(not preferences.glyphs.unicode, "-ascii")
        for index, command in enumerate(preferences.commands):
            if command.key is not None:
                self.bind(command.key, f"user_command({index})", description=command.name, show=False)
        for theme in THEMES:
            self.register_theme(theme)
        if not preferences.paints_background:
            for theme in self.available_themes.values():
                self.register_theme(replace(theme, background=TERMINAL_BACKGROUND))
        self._set_first_theme(preferences.theme if preferences.theme in self.available_themes else DARK)

    def _set_first_theme(self, theme: str) -> None:
        if theme != DARK:
            self.theme = theme
            return
        # As dark as the default theme, it needs no second pass over the stylesheet and everything styled by it.
        self.set_reactive(App.theme, theme)
        self.stylesheet.set_variables(self.get_css_variables())

    def get_css_variables(self) -> dict[str, str]:
        variables = super().get_css_variables()
        self.theme_variables = theme_colours(variables) | variables
        return self.theme_variables

    def get_default_screen(self) -> Screen[None]:
        """Reads the store before the first paint, so that the first paint is complete."""
        self.main = MainScreen(
            self._bridge.first(),
            self._bridge,
            self._commands,
            self._charts,
            glyphs=self._preferences.glyphs,
            selected_run=self._selected_run,
            user_commands=self._preferences.commands,
        )
        self._commands.find = self._find
        return self.main

    def get_line_filters(self) -> Sequence[LineFilter]:
        """With NO_COLOR no color is left, not even a gray: Textual's grays are black on black in a terminal's theme."""
        return _NO_COLOR if self.no_color else super().get_line_filters()

    @property
    def _background_screens(self) -> list[Screen[Any]]:
        """None behind an opaque screen, which Textual would paint again whenever one behind it changes."""
        is_covered = len(self._screen_stack) > 1 and self.screen.styles.background.a == 1
        return [] if is_covered else super()._background_screens

    def _find(self, run_id: str) -> KnownRun | None:
        return self.main.snapshot.find(run_id)

    def on_mount(self) -> None:
        self._loop_running = asyncio.get_running_loop()
        self.app_resume_signal.subscribe(self, self._repaint)
        for problem in self._preferences.command_problems:
            self.main.tell(problem, bad=True)
        self.main.call_after_refresh(self._follow_store)  # the threads it starts would delay the first paint

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A screen may have another use for ctrl+z."""
        has_own = any(isinstance(binding, Binding) and binding.key == "ctrl+z" for binding in self.screen.BINDINGS)
        return not has_own if action == "suspend_process" else super().check_action(action, parameters)

    def _repaint(self, _: App[int]) -> None:
        """After a suspension the terminal shows nothing of what was painted before."""
        self._sent_rows.forget()
        self.screen.refresh(repaint=True, layout=True)

    def _follow_store(self) -> None:
        self.run_worker(self._bridge.follow(self.post_message), name="bridge", group="bridge", exit_on_error=True)

    def on_unmount(self) -> None:
        self._bridge.close()  # ends our own sampler too
        self._charts.close()

    @on(StoreRead)
    def _store_read(self, message: StoreRead) -> None:
        self.main.take(message.snapshot, silent_seconds=self._window_focus.silent_seconds)

    @on(EventsRead)
    def _events_read(self, message: EventsRead) -> None:
        self.main.take_events(message.opened)

    @on(StoreFailed)
    def _store_failed(self, message: StoreFailed) -> None:
        self.main.fail(message.reason)

    @on(DigestReady)
    def _remembered(self, message: DigestReady) -> None:
        if message.is_answer:
            self.main.complete_digest(message.digest)
        else:
            self.main.show_digest(message.digest, opens=message.opens)

    @on(MainScreen.DemoRequested)
    def _show_demo(self) -> None:
        self.wants_demo = True
        self.exit(0)

    @on(RunsEnded)
    def _runs_ended(self, message: RunsEnded) -> None:
        ends = [end for end in message.ends if not end.stopped_by_user]
        new = [end for end in ends if end.run_id != self.main.shown_problem]
        if new:
            text = " · ".join(summarize_ends(new, _MAX_ENDS))
            self.main.tell(text, bad=any(end.is_problem for end in new), seconds=_EVENT_SECONDS, kind=EventNotice)
        if message.problem is not None:
            self.main.tell(message.problem, bad=True, seconds=_EVENT_SECONDS, kind=EventNotice)
        if self._window_focus.is_unseen and self._driver is not None:
            self._driver.write(self._preferences.notices.sequences(summarize_ends(ends, _MAX_ENDS)))

    @on(Notify)
    def _before_toast(self, message: Notify) -> None:
        """Keeps an event back while an answer is shown, and removes the oldest before Textual shows another one."""
        if isinstance(message.notification, EventNotice) and self._shows_answer():
            self._waiting_events.append(message.notification)
            message.prevent_default()
            return
        for oldest in list(self._notifications)[: max(0, len(self._notifications) - _MAX_TOASTS + 1)]:
            self._unnotify(oldest, refresh=False)

    def _shows_answer(self) -> bool:
        return any(not isinstance(notification, EventNotice) for notification in self._notifications)

    def _refresh_notifications(self) -> None:
        super()._refresh_notifications()
        self.call_later(self._show_newest)

    def _unnotify(self, notification: Notification, refresh: bool = True) -> None:  # noqa: FBT001, FBT002 - Textual's
        super()._unnotify(notification, refresh)
        self.call_later(self._show_newest)

    def _show_newest(self) -> None:
        """Hides the messages below the newest one, and lets the footer show its keys beside it."""
        if not self.screen_stack:  # while the application closes
            return
        newest = next(reversed(list(self._notifications)), None)
        for rack in self.screen.query("ToastRack"):
            rack.styles.padding = (0, keys_beside(self.size.width), 0, 0)
        for holder in self.screen.query("ToastHolder"):
            holder.display = newest is not None and str(holder.id).endswith(newest.identity)
        for footer in self.screen.query(KeysFooter):
            footer.make_room("" if newest is None else newest.message)
        while self._waiting_events and not self._shows_answer():
            event = self._waiting_events.popleft()
            event.raised_at = time.time()
            self.post_message(Notify(event))

    @on(events.AppFocus)
    def _focused(self) -> None:
        self._window_focus.set_focused(focused=True)
        self._bridge.look()

    @on(events.AppBlur)
    def _unfocused(self) -> None:
        self._window_focus.set_focused(focused=False)
        self._bridge.look()  # so that the bridge records when the absence began

    async def on_event(self, event: events.Event) -> None:
        """Notes activity, and puts keys in order; every event passes here first."""
        if isinstance(event, events.InputEvent | events.Paste):
            self._note_activity()
        elif isinstance(event, events.Resize):
            self._sent_rows.forget()  # terminals wrap or clear what they show
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            self._window_focus.note_key()
            await self._key_queue.put(event)
        else:
            await super().on_event(event)

    def _takes_keys(self) -> bool:
        return bool(self.screen_stack) and self.screen.is_mounted and not getattr(self.screen, "is_closing", False)

    async def _dispatch(self, event: KeyOrPaste) -> MessagePump:
        target = self.focused or self.screen
        self.has_unpainted_key = self._key_queue.is_empty  # of keys that arrive together only the last one is painted
        await super().on_event(event)
        return target

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        super()._display(screen, self._sent_rows.changes(renderable))
        self.has_unpainted_key = self.has_unpainted_key and renderable is None

    @on(KeyHandled)
    async def _key_handled(self, message: KeyHandled) -> None:
        if self.screen_stack:  # empty while the application closes
            await self._key_queue.handled(message.sequence)

    async def run_action(
        self,
        action: str | ActionParseResult,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Refuses the actions that change something while the dashboard is read-only; every action passes here."""
        if default_namespace is self.main and action in CHANGING_COMMANDS and self.main.refuses_changes():
            return True
        return await super().run_action(action, default_namespace, namespaces)

    async def _check_bindings(self, key: str, priority: bool = False) -> bool:  # noqa: FBT001, FBT002 - Textual's
        """Says so if nothing takes a key on the main screen; a field takes what is typed, but not every other key."""
        if await super()._check_bindings(key, priority):
            for notification in [note for note in self._notifications if isinstance(note, KeyNotice)]:
                self._unnotify(notification)  # about an earlier key
            return True
        from textual.widgets import Input

        is_modifier = key.endswith(_MODIFIERS)
        if not priority and not is_modifier and self.screen is self.main and not isinstance(self.focused, Input):
            where = " here" if any(key in action.keys for action in ACTIONS) else ""
            self.main.tell(f"{format_key(key)}: no such key{where}", kind=KeyNotice)
        return False

    def _note_activity(self) -> None:
        """Notes that somebody is there, who has read the bad news."""
        for notification in list(self._notifications):
            if notification.severity == "warning" and time.time() - notification.raised_at >= _LEAST_SECONDS:
                self._unnotify(notification)
        was_present = self._window_focus.is_present
        self._window_focus.note_activity()
        if not was_present:
            self._bridge.look()

    def leave(self, code: int) -> None:
        """Exits from a signal handler, which may run while any lock is held."""
        if self._loop_running is not None and self._loop_running.is_running():
            self._loop_running.call_soon_threadsafe(self.exit, code)

    def action_interrupt(self) -> None:
        """Copies the text selected by the mouse; without any, exits the second time within two seconds."""
        selected = self.screen.get_selected_text()
        if selected:
            copy_text(self, selected, counted(selected.count("\n") + 1, "line"))
            self.screen.clear_selection()
            return
        now = time.monotonic()
        if now - self._interrupted_at < _SECOND_INTERRUPT_SECONDS:
            self.exit(0)
            return
        self._interrupted_at = now
        self.notify("q leaves, runs continue", timeout=3)

    def copy_to_clipboard(self, text: str) -> None:
        """Copies what Textual's inputs copy."""
        copy_text(self, text)

    async def action_user_command(self, index: int) -> None:
        if self.screen is self.main:
            await self.main.run_user_command(self._preferences.commands[index])

    def action_command_palette(self) -> None:
        from backprop_tui.tui.textual_patches.command_palette import Palette  # not before it is opened: slow to import

        if not isinstance(self.screen, Palette):
            self.push_screen(Palette(id="--command-palette"))
