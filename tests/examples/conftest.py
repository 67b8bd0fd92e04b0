"""Each test of an example runs for both of them; the PyTorch one is skipped where torch is missing."""

from __future__ import annotations

import pytest

from tests.examples.scripts import Example, Transcript, numpy_example, torch_example


@pytest.fixture(scope="session", params=[numpy_example, torch_example], ids=["numpy", "torch"])
def example(request: pytest.FixtureRequest) -> Example:
    made = request.param()
    assert isinstance(made, Example)
    return made


@pytest.fixture(scope="session")
def uninterrupted(example: Example, tmp_path_factory: pytest.TempPathFactory) -> Transcript:
    """A run of four epochs that nobody disturbed, with every step's line and a checkpoint every 50 steps."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    transcript = example.run(folder, "--epochs", "4", "--progress-every-seconds", "0", "--checkpoint-every-steps", "50")
    assert transcript.exit_code == 0, transcript.complaint
    return transcript
