"""Each test runs for both examples; without torch the PyTorch example is skipped."""

from __future__ import annotations

import pytest

from tests.examples.scripts import Example, Transcript, numpy_example, torch_example


@pytest.fixture(scope="session", params=[numpy_example, torch_example], ids=["numpy", "torch"])
def example(request: pytest.FixtureRequest) -> Example:
    example = request.param()
    assert isinstance(example, Example)
    return example


@pytest.fixture(scope="session")
def uninterrupted(example: Example, tmp_path_factory: pytest.TempPathFactory) -> Transcript:
    """An uninterrupted run of four epochs that prints every step and saves every 50 steps."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    transcript = example.run(folder, "--epochs", "4", "--progress-every-seconds", "0", "--checkpoint-every-steps", "50")
    assert transcript.exit_code == 0, transcript.errors
    return transcript
