"""The profiles that come with layerkit, and those of the user's own file."""

from pathlib import Path

import pytest

from layerkit.errors import UsageError
from layerkit.image.media_types import Compression, Family
from layerkit.profiles import GENERIC, KNOWN, REPLICATED, Profile, Way, load_profiles
from layerkit.profiles.known import own_profiles
from layerkit.profiles.reading import _PROFILE, _UPLOAD

NAMES = [
    "replicated",
    "ghcr",
    "ecr",
    "ecr-public",
    "google",
    "acr",
    "dockerhub",
    "quay",
    "vercel",
    "cloudflare",
    "gitlab",
    "harbor",
    "generic",
]


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("registry.replicated.com", "replicated"),
        ("Registry.Replicated.com", "replicated"),
        ("ghcr.io", "ghcr"),
        ("123456789012.dkr.ecr.eu-central-1.amazonaws.com", "ecr"),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "ecr"),
        ("123456789012.dkr-ecr.us-east-1.on.aws", "ecr"),
        ("public.ecr.aws", "ecr-public"),
        ("europe-west3-docker.pkg.dev", "google"),
        ("gcr.io", "google"),
        ("eu.gcr.io", "google"),
        ("mine.azurecr.io", "acr"),
        ("docker.io", "dockerhub"),
        ("quay.io", "quay"),
        ("vcr.vercel.com", "vercel"),
        ("registry.gitlab.com", "gitlab"),
        ("gitlab.example.com", "gitlab"),
        ("harbor.example.com", "harbor"),
        ("harbor.azurecr.io", "acr"),
        ("registry.example.com", "generic"),
        ("127.0.0.1", "generic"),
        ("notghcr.io", "generic"),
    ],
)
def test_by_host(host: str, name: str) -> None:
    assert KNOWN.for_host(host).name == name


def test_by_name() -> None:
    assert [profile.name for profile in KNOWN] == NAMES
    assert KNOWN.named("generic") is GENERIC
    with pytest.raises(UsageError, match="there is no profile 'nobody'; expected one of replicated, ghcr,"):
        KNOWN.named("nobody")


def test_what_the_first_target_takes() -> None:
    assert (REPLICATED.family, REPLICATED.compressions) == (Family.DOCKER, frozenset({Compression.GZIP}))
    assert not REPLICATED.attestations
    assert REPLICATED.max_layer_size == 1_000_000_000


def test_generic_takes_both_families() -> None:
    assert GENERIC.family is None
    assert (GENERIC.upload.way, GENERIC.upload.chunk_size) == (Way.CHUNKED, 50 << 20)


def test_one_that_is_like_another_keeps_its_figures() -> None:
    assert KNOWN.named("ecr-public").upload == KNOWN.named("ecr").upload
    assert "upload.way" in KNOWN.named("ecr-public").figures
    assert "Public" in KNOWN.named("ecr-public").figures["max_layer_size"].source


@pytest.mark.parametrize("profile", tuple(KNOWN), ids=lambda profile: profile.name)
def test_every_figure_says_where_it_comes_from(profile: Profile) -> None:
    assert profile.figures.keys() >= {"max_layer_size", "attestations"}
    assert all(figure.source and figure.date for figure in profile.figures.values())
    if profile is not GENERIC:
        known = {"max_layer_size", "families", "compressions", "attestations", "artifacts", "creates_repositories"}
        differs = {field for field in known if getattr(profile, field) != getattr(GENERIC, field)}
        differs |= {
            f"upload.{field}" for field in ("way", "max_body", "max_seconds") if _of(profile, field) != _of(GENERIC, field)
        }
        assert differs <= profile.figures.keys()


def _of(profile: Profile, field: str) -> object:
    return getattr(profile.upload, field)


def own(folder: Path, text: str) -> dict[str, str]:
    path = folder / "layerkit" / "profiles.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return {"XDG_CONFIG_HOME": str(folder)}


def test_the_user_s_own_come_first(tmp_path: Path) -> None:
    environment = own(tmp_path, '[mine]\nhosts = ["*.example.com", "ghcr.io"]\n[ghcr]\nparallel = 1\n')
    profiles = load_profiles(environment)
    assert profiles.for_host("registry.example.com").name == "mine"
    assert profiles.for_host("ghcr.io").name == "mine"
    ghcr = profiles.named("ghcr")
    assert (ghcr.parallel, ghcr.upload) == (1, KNOWN.named("ghcr").upload), "the rest is as it was"
    assert profiles.for_host("quay.io") is KNOWN.named("quay")
    assert profiles.for_host("elsewhere.example") is GENERIC


def test_generic_can_be_replaced(tmp_path: Path) -> None:
    profiles = load_profiles(own(tmp_path, '[generic]\nmax_layer_size = "5GB"'))
    assert profiles.for_host("elsewhere.example").max_layer_size == 5_000_000_000


def test_where_the_file_is() -> None:
    assert own_profiles({"HOME": "/home/me"}) == Path("/home/me/.config/layerkit/profiles.toml")
    assert own_profiles({"HOME": "/home/me", "XDG_CONFIG_HOME": "/c"}) == Path("/c/layerkit/profiles.toml")
    assert own_profiles({}) is None


@pytest.mark.parametrize("environment", [{}, {"HOME": "/nowhere"}, {"XDG_CONFIG_HOME": "/dev/null"}])
def test_there_need_be_none(environment: dict[str, str]) -> None:
    assert load_profiles(environment) is KNOWN


def test_a_file_that_says_nonsense_is_named(tmp_path: Path) -> None:
    environment = own(tmp_path, "[mine]\nhosts = 1")
    with pytest.raises(UsageError, match=r"layerkit/profiles.toml: mine.hosts: expected a list of host names"):
        load_profiles(environment)
    (tmp_path / "layerkit" / "profiles.toml").write_bytes(b"\xff")
    with pytest.raises(UsageError, match="UTF-8"):
        load_profiles(environment)


def test_the_documentation_has_them_all() -> None:
    text = (Path(__file__).parents[2] / "docs" / "registries.md").read_text()
    for profile in KNOWN:
        assert f"`{profile.name}`" in text
        assert profile.upload.way.value in text
    for name in (*_PROFILE, *(f"upload.{name}" for name in _UPLOAD)):
        assert name == "hosts" or f"`{name}`" in text
