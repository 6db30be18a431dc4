"""The profiles that come with layerkit."""

import pytest

from layerkit.image.media_types import Compression, Family
from layerkit.profiles import GENERIC, PROFILES, REPLICATED, Profile, Way, profile_for, profile_named


def test_by_host_in_any_case() -> None:
    assert profile_for("registry.replicated.com") is REPLICATED
    assert profile_for("Registry.Replicated.com") is REPLICATED
    assert profile_for("registry.example.com") is GENERIC


def test_by_name() -> None:
    assert profile_named("generic") is GENERIC
    with pytest.raises(KeyError):
        profile_named("nobody")


def test_what_the_first_target_takes() -> None:
    assert (REPLICATED.family, REPLICATED.compressions) == (Family.DOCKER, frozenset({Compression.GZIP}))
    assert not REPLICATED.attestations
    assert REPLICATED.max_layer_size == 1_000_000_000


def test_generic_takes_both_families() -> None:
    assert GENERIC.family is None
    assert (GENERIC.upload.way, GENERIC.upload.chunk_size) == (Way.CHUNKED, 50 << 20)


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_every_figure_says_where_it_comes_from(profile: Profile) -> None:
    assert profile.figures.keys() >= {"max_layer_size"}
    assert all(figure.source and figure.date for figure in profile.figures.values())
