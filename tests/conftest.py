"""What holds for all tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# No deadline per example: the machine's load is no fault of the code under test.
settings.register_profile("layerkit", deadline=None)
settings.load_profile("layerkit")


@pytest.fixture(scope="session", autouse=True)
def _nobody_s_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing that tests learn is remembered in the user's own folder, also by fixtures that outlive a test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True)
def state_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test begins with nothing remembered."""
    folder = tmp_path_factory.mktemp("state")
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    return folder
