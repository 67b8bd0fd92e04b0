"""The patch of Textual's partial updates."""

from __future__ import annotations

import hashlib
import inspect

from textual._compositor import ChopsUpdate

from backprop_tui.tui.textual_patches import partial_updates


def test_textual_still_has_the_method_that_is_patched() -> None:
    source = inspect.getsource(ChopsUpdate.__dict__["render_segments"])
    if ChopsUpdate.render_segments is partial_updates.render_segments:  # applied by an earlier test of this process
        return
    assert hashlib.sha256(source.encode()).hexdigest() == partial_updates.REPLACED_SOURCE
