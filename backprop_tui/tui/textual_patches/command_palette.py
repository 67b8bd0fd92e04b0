"""Textual's command palette, which lists at once what is at hand, and does not crash on a tiny screen.

Textual collects the commands in a task with a queue, which shows an empty list for a second on a busy machine.
"""

from __future__ import annotations

from collections.abc import Iterable

from textual import events, on
from textual.command import Command, CommandInput, CommandList, CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.widgets import Input
from textual.widgets.option_list import Option

from backprop_tui.tui.textual_patches import Patch, apply_patches
from backprop_tui.tui.textual_patches.dismiss_once import DismissOnce

WIDTH = 72  # of the palette, with its frame


class ReadyProvider(Provider):
    """A provider that need not wait for anything to answer."""

    def hits(self, search: str) -> Iterable[Hit | DiscoveryHit]:
        """Returns what matches a search; without one what is to be discovered."""
        raise NotImplementedError

    async def search(self, query: str) -> Hits:
        for hit in self.hits(query):
            yield hit

    async def discover(self) -> Hits:
        for hit in self.hits(""):
            yield hit


class Palette(DismissOnce, CommandPalette):
    """The command palette."""

    CSS_PATH = "../dialogs.tcss"
    VERTICAL_BREAKPOINTS = [(0, "-low"), (20, "-high")]  # noqa: RUF012 - as Textual declares it
    _width = 0

    @on(events.Resize)
    def _fit_entries(self, event: events.Resize) -> None:
        """Gathers the entries again when they were drawn for another width."""
        before, self._width = self._width, min(WIDTH, event.size.width)
        if before not in (0, self._width):
            self._gather_commands(self.query_one(CommandInput).value.strip())

    def _action_command_list(self, action: str) -> None:
        if self.query_one(CommandList).scrollable_content_region:  # paging a list without rows divides by zero
            super()._action_command_list(action)

    def list_again(self) -> None:
        """Lists what matches now, for a provider that knows more; the cursor stays in its row."""
        for listed in self.query(CommandList):  # none when it was closed meanwhile
            row = listed.highlighted
            self._gather_commands(self.query_one(Input).value.strip())
            listed.highlighted = row


def _list_at_once(self: Palette, search: str) -> None:
    """Lists the hits of providers that have them at hand, or says that there are none, without waiting for more."""
    if not self.query(CommandList):
        return  # closed meanwhile
    providers = [provider for provider in self._providers if isinstance(provider, ReadyProvider)]
    hits = [hit for provider in providers for hit in provider.hits(search)]
    hits.sort(key=lambda hit: hit.score, reverse=True)
    listed = self.query_one(CommandList).clear_options()
    if hits:
        listed.add_options([Command(hit.prompt, hit, id=str(index)) for index, hit in enumerate(hits)])
        listed.highlighted = 0
    else:
        listed.add_option(Option("No matches", disabled=True, id=self._NO_MATCHES))
    self._hit_count = len(hits)
    self._list_visible = True
    self.add_class("-ready")


PATCHES = (
    Patch(
        owner=Palette,
        name="_gather_commands",
        replacement=_list_at_once,
        builds_on=("_input", "_select_command", "_select_or_command", "_watch__list_visible"),
        sha256="64c67fffbce4b3522dc36cfa14e74cecc9f3b2dc1aa879f6e64711472bc174f5",
    ),
)
apply_patches(PATCHES)
