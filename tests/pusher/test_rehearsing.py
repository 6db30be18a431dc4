"""The pusher against each dialect of the sandbox, at default settings: with the registry's own profile, and knowing nothing."""

import shutil
from pathlib import Path

import pytest

from layerkit.image.image import Image
from layerkit.profiles import GENERIC
from layerkit.sandbox import dialects
from tests.pusher.images import image_of
from tests.pusher.rehearsing import SIZES, limits_of, profile_of, rehearse

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not installed (Debian: apt install skopeo)"),
]

MOST = 1.3
"""Of what is sent to what there is, where the dialect allows it."""

COSTLY = {
    "resetting": 2.0,  # what breaks without an answer has been sent for nothing, by as many uploads as are under way
    "mute": 2.0,
}
"""Where it doesn't, to who knows nothing of the registry."""


@pytest.fixture(scope="module")
def image() -> Image:
    return image_of(SIZES)


@pytest.mark.parametrize("name", [name for name in dialects() if profile_of(name) is not None])
def test_with_its_profile(name: str, image: Image, tmp_path: Path) -> None:
    """Nothing is refused but what the registry does by chance."""
    profile = profile_of(name)
    assert profile is not None
    done = rehearse(limits_of(name), profile, tmp_path, image)
    assert done.error == ""
    assert done.skopeo
    assert done.ratio <= 1.01
    assert done.refused == 0 or limits_of(name).faults


@pytest.mark.parametrize("name", list(dialects()))
def test_knowing_nothing(name: str, image: Image, tmp_path: Path) -> None:
    """The answers say how it is to be done."""
    done = rehearse(limits_of(name), GENERIC, tmp_path, image)
    assert done.error == ""
    assert done.skopeo
    assert done.ratio <= COSTLY.get(name, MOST)
    assert done.refused < 20
