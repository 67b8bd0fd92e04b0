"""The tab that opens by itself: the details of a held run, while it is held."""

from __future__ import annotations

import pytest

from backprop_tui.tui.panes.selected_run import DETAILS, LOG
from tests.tui.screens.test_main import staged
from tests.tui.snapshots import queued, running, snapshot

HELD = queued("a", holds=({"check": "ram", "message": "RAM 3.1 GB free, keeps 4"},))


@pytest.mark.parametrize(("keys", "then"), [((), LOG), (("5",), 4), (("1",), LOG)])
async def test_a_held_run_shows_its_details_until_it_starts_or_another_tab_is_chosen(
    keys: tuple[str, ...], then: int
) -> None:
    async with staged(snapshot(queued("a"))) as stage:
        await stage.becomes(snapshot(queued("a")))
        assert stage.selected.tab == LOG
        await stage.becomes(snapshot(HELD))
        assert stage.selected.tab == DETAILS
        await stage.pilot.press(*keys)
        await stage.becomes(snapshot(running("a")))
        assert stage.selected.tab == then
