"""The registry of keys."""

from __future__ import annotations

from backprop_tui.domain.status import Status
from backprop_tui.tui.actions import ACTIONS, BY_ID, by_shown, footer_keys


def test_no_key_does_two_things() -> None:
    keys = [key for one in ACTIONS for key in one.keys]
    assert len(keys) == len(set(keys))
    assert len(BY_ID) == len(ACTIONS)


def test_the_footer_has_what_applies_to_each_status() -> None:
    for status in Status:
        keys = dict(footer_keys(status))
        assert keys
        for key in keys:
            assert by_shown(key) is not None
    assert dict(footer_keys(Status.PAUSED))["p"] == "continue"
    assert "r" in dict(footer_keys(Status.FAILED))
    assert "J" in dict(footer_keys(Status.QUEUED))
