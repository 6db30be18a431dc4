"""Whose credentials are found where, and in which order."""

import base64
import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerkit.errors import HelperError, UsageError
from layerkit.registry.credential_helpers import Helper
from layerkit.registry.credential_keys import HUB_KEY, candidate_keys, canonical
from layerkit.registry.credential_store import CredentialStore
from layerkit.registry.credentials import Credentials, FileCredentials, Kind

SECRET = "hunter2-1b9d6bcd"


def packed(user: str, secret: str = SECRET) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{secret}".encode()).decode()}


def write(path: Path, **fields: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(fields))
    return path


def found(home: Path, registry: str = "reg.example", repository: str = "a/b", **environment: str) -> Credentials | None:
    environment = {"XDG_RUNTIME_DIR": str(home / "runtime"), **environment}
    return FileCredentials(environment, home).lookup(registry, repository).credentials


@pytest.fixture
def helper(tmp_path: Path) -> dict[str, str]:
    """An environment with docker-credential-test, which keeps its credentials in a folder."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "docker-credential-test"
    program.write_text(
        """#!/bin/sh
read -r input
printf '%s %s\\n' "$1" "$*" >> "$KEPT/calls"
case $1 in
  get) name=$(printf %s "$input" | tr '/:' '__')
       [ -f "$KEPT/$name" ] && exec cat "$KEPT/$name"
       echo "credentials not found in native keychain"; exit 1;;
  store) printf %s "$input" > "$KEPT/stored";;
  erase) rm "$KEPT/$(printf %s "$input" | tr '/:' '__')" 2>/dev/null || { echo "credentials not found"; exit 1; };;
esac
"""
    )
    program.chmod(0o755)
    broken = folder / "docker-credential-broken"
    broken.write_text(f"#!/bin/sh\necho 'a failure with {SECRET}'\nexit 3\n")
    broken.chmod(0o755)
    odd = folder / "docker-credential-odd"
    odd.write_text(f"#!/bin/sh\necho '{SECRET}'\n")
    odd.chmod(0o755)
    kept = tmp_path / "kept"
    kept.mkdir()
    return {"PATH": f"{folder}:/usr/bin:/bin", "KEPT": str(kept)}


def keep(environment: Mapping[str, str], key: str, user: str, secret: str = SECRET) -> None:
    name = key.replace("/", "_").replace(":", "_")
    Path(environment["KEPT"], name).write_text(json.dumps({"ServerURL": key, "Username": user, "Secret": secret}))


def test_the_order(tmp_path: Path) -> None:
    """Each file beats those below it: taken away one by one, the next comes to the fore."""
    inline = json.dumps({"auths": {"reg.example": packed("inline")}})
    environment = {
        "DOCKER_AUTH_CONFIG": inline,
        "REGISTRY_AUTH_FILE": str(write(tmp_path / "given.json", auths={"reg.example": packed("registry-auth-file")})),
        "XDG_RUNTIME_DIR": str(tmp_path / "run"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "DOCKER_CONFIG": str(tmp_path / "docker"),
    }
    write(tmp_path / "run/containers/auth.json", auths={"reg.example": packed("runtime")})
    write(tmp_path / "config/containers/auth.json", auths={"reg.example": packed("config")})
    write(tmp_path / "docker/config.json", auths={"reg.example": packed("docker")})
    write(tmp_path / ".docker/config.json", auths={"reg.example": packed("home")})
    write(tmp_path / ".config/containers/auth.json", auths={"reg.example": packed("home-config")})
    names = []
    for variable in ["", "DOCKER_AUTH_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"]:
        environment.pop(variable, None)
        credentials = FileCredentials(environment, tmp_path).lookup("reg.example").credentials
        names.append(credentials.username if credentials else None)
    assert names == ["inline", "registry-auth-file", "runtime", "config", "home-config"]
    (tmp_path / ".config/containers/auth.json").unlink()
    assert FileCredentials(environment, tmp_path).lookup("reg.example").origin == str(tmp_path / "docker/config.json")
    del environment["DOCKER_CONFIG"]
    assert FileCredentials(environment, tmp_path).lookup("reg.example").origin == str(tmp_path / ".docker/config.json")


def test_authfile_is_the_only_one(tmp_path: Path) -> None:
    write(tmp_path / ".docker/config.json", auths={"reg.example": packed("docker")})
    authfile = write(tmp_path / "auth.json", auths={"other.example": packed("other")})
    source = FileCredentials({}, tmp_path, authfile)
    assert source.lookup("reg.example").credentials is None
    other = source.lookup("other.example").credentials
    assert other == Credentials("other", SECRET)
    with pytest.raises(UsageError, match="no such file"):
        FileCredentials({}, tmp_path, tmp_path / "absent").lookup("reg.example")


def test_where_was_looked(tmp_path: Path) -> None:
    path = write(tmp_path / ".docker/config.json", auths={})
    assert FileCredentials({"XDG_RUNTIME_DIR": str(tmp_path)}, tmp_path).lookup("reg.example").tried == (str(path),)


SPELLINGS = [
    "reg.example",
    "reg.example/",
    "reg.example:443",
    "REG.Example",
    "Reg.Example:443/v2/",
    "reg.example/v1/",
    "https://reg.example",
    "https://reg.example/v1/",
    "https://reg.example/v2/",
    "https://REG.EXAMPLE:443/v2",
    "https://user@reg.example/",
    "http://reg.example/v2/",
    "http://reg.example:80",
]
"""All of one host."""


@pytest.mark.parametrize("key", SPELLINGS)
def test_keys_that_name_the_host(tmp_path: Path, key: str) -> None:
    write(tmp_path / ".docker/config.json", auths={key: packed("u")})
    assert found(tmp_path) == Credentials("u", SECRET)
    assert found(tmp_path, "reg.example:443") == Credentials("u", SECRET)
    assert found(tmp_path, "Reg.Example") == Credentials("u", SECRET)
    assert found(tmp_path, "reg.example:5000") is None
    assert found(tmp_path, "sub.reg.example") is None


def test_the_longest_namespace_wins(tmp_path: Path) -> None:
    keys = ["reg.example/a/b", "reg.example", "reg.example/a", "reg.example/a/bb"]
    write(tmp_path / ".docker/config.json", auths={key: packed(key) for key in keys})
    for repository, key in [
        ("a/b", "reg.example/a/b"),
        ("a/b/c", "reg.example/a/b"),
        ("a/c", "reg.example/a"),
        ("b", "reg.example"),
        ("a/bb", "reg.example/a/bb"),
        ("", "reg.example"),
    ]:
        credentials = found(tmp_path, repository=repository)
        assert credentials is not None
        assert credentials.username == key


def test_docker_hub_has_several_names(tmp_path: Path) -> None:
    write(tmp_path / ".docker/config.json", auths={HUB_KEY: packed("hub")})
    for registry in ("docker.io", "index.docker.io", "registry-1.docker.io"):
        assert found(tmp_path, registry) == Credentials("hub", SECRET)
    for key in (
        "docker.io",
        "index.docker.io/v1/",
        "https://registry-1.docker.io/v2/",
        "https://index.docker.io/v1",
        "Docker.IO",
    ):
        write(tmp_path / ".docker/config.json", auths={key: packed("hub")})
        assert found(tmp_path, "docker.io", "library/busybox") == Credentials("hub", SECRET)
    assert list(candidate_keys("index.docker.io", "library/busybox")) == [
        "docker.io/library/busybox",
        "docker.io/library",
        "docker.io",
    ]


def test_what_docker_keeps_beside_a_login_by_browser_is_no_login(tmp_path: Path) -> None:
    auths = {f"{HUB_KEY}{kind}-token": packed(kind) for kind in ("access", "refresh")}
    write(tmp_path / ".docker/config.json", auths=auths)
    assert found(tmp_path, "docker.io") is None
    write(tmp_path / ".docker/config.json", auths={**auths, HUB_KEY: packed("hub")})
    assert found(tmp_path, "docker.io") == Credentials("hub", SECRET)


def test_a_logout_erases_every_spelling(tmp_path: Path, helper: dict[str, str]) -> None:
    keep(helper, "https://reg.example/v2/", "typed")
    path = write(tmp_path / ".docker/config.json", credsStore="test", auths={"https://reg.example/v2/": {}, "other": {}})
    assert CredentialStore(path, helper).erase("reg.example") == ["docker-credential-test", str(path)]
    assert not Path(helper["KEPT"], "https___reg.example_v2_").exists()
    assert json.loads(path.read_text())["auths"] == {"other": {}}


def test_the_registry_as_the_user_spells_it_comes_first(tmp_path: Path) -> None:
    """Two logins to one host, each under its spelling: none is lost."""
    auths = {"https://reg.example/v2/": packed("url"), "reg.example:443": packed("port"), "reg.example": packed("plain")}
    write(tmp_path / ".docker/config.json", auths=auths)
    for registry, user in [("reg.example", "plain"), ("reg.example:443", "port"), ("REG.example", "url")]:
        assert found(tmp_path, registry) == Credentials(user, SECRET)
    auths["reg.example"] = {}
    write(tmp_path / ".docker/config.json", auths=auths)
    assert found(tmp_path) == Credentials("url", SECRET), "an empty entry hides nothing"


@given(st.text("aZ.:/@vh12 [", max_size=12))
def test_any_key_has_one_canonical_form(text: str) -> None:
    assert canonical(canonical(text)) == canonical(text)


def test_kinds_of_entries(tmp_path: Path) -> None:
    write(
        tmp_path / ".docker/config.json",
        auths={
            "identity": {**packed("x"), "identitytoken": SECRET},
            "bearer": {"registrytoken": SECRET},
            "marked": packed("<token>"),
            "plain": {"username": "u", "password": SECRET},
            "padded": {"auth": base64.b64encode(f"u:{SECRET}".encode() + b"\0\0").decode()},
            "colons": packed("u", "a:b:c"),
            "empty": {},
        },
    )
    assert found(tmp_path, "identity") == Credentials("<token>", SECRET, Kind.IDENTITY_TOKEN)
    assert found(tmp_path, "marked") == Credentials("<token>", SECRET, Kind.IDENTITY_TOKEN)
    assert found(tmp_path, "bearer") == Credentials("", SECRET, Kind.BEARER_TOKEN)
    assert found(tmp_path, "plain") == Credentials("u", SECRET)
    assert found(tmp_path, "padded") == Credentials("u", SECRET)
    assert found(tmp_path, "colons") == Credentials("u", "a:b:c")
    assert found(tmp_path, "empty") is None


def test_helpers_beat_stores_beat_files(tmp_path: Path, helper: dict[str, str]) -> None:
    keep(helper, "reg.example", "from-helper")
    auths = {"reg.example": packed("from-file")}
    write(tmp_path / ".docker/config.json", auths=auths, credHelpers={"reg.example": "test"}, credsStore="broken")
    assert found(tmp_path, **helper) == Credentials("from-helper", SECRET)
    write(tmp_path / ".docker/config.json", auths=auths, credHelpers={"other": "broken"}, credsStore="test")
    assert found(tmp_path, **helper) == Credentials("from-helper", SECRET)
    Path(helper["KEPT"], "reg.example").unlink()
    assert found(tmp_path, **helper) == Credentials("from-file", SECRET)
    keep(helper, HUB_KEY, "hub")
    assert found(tmp_path, "docker.io", **helper) == Credentials("hub", SECRET)
    keep(helper, "reg.example", "<token>")
    identity = found(tmp_path, **helper)
    assert identity is not None
    assert identity.kind is Kind.IDENTITY_TOKEN


@pytest.mark.parametrize("key", [*SPELLINGS, "reg.example/a"])
def test_a_helper_under_any_spelling(tmp_path: Path, helper: dict[str, str], key: str) -> None:
    """It is asked for what docker asks for, and for what stands in the file."""
    path = write(tmp_path / ".docker/config.json", credHelpers={key: "test"})
    assert found(tmp_path, **helper) is None
    calls = Path(helper["KEPT"], "calls")
    first = "reg.example/a" if key == "reg.example/a" else "reg.example"
    keep(helper, first, "from-helper")
    assert found(tmp_path, **helper) == Credentials("from-helper", SECRET)
    Path(helper["KEPT"], first.replace("/", "_")).unlink()
    keep(helper, key, "as spelt")
    assert found(tmp_path, **helper) == Credentials("as spelt", SECRET)
    assert path.exists() and calls.read_text().startswith("get get")


def test_a_store_is_asked_for_the_spellings_that_docker_left_in_the_file(tmp_path: Path, helper: dict[str, str]) -> None:
    """`docker login https://reg.example/v2/` keeps the credentials under just that, and leaves an empty entry."""
    keep(helper, "https://reg.example/v2/", "typed")
    write(tmp_path / ".docker/config.json", credsStore="test", auths={"https://reg.example/v2/": {}, "other": {}})
    assert found(tmp_path, **helper) == Credentials("typed", SECRET)


@pytest.mark.parametrize(
    ("name", "part"),
    [("ecr-login", "amazon-ecr-credential-helper"), ("gcloud", "the Google Cloud CLI"), ("acr-env", "docker-credential-acr-env")],
)
def test_a_helper_that_is_missing_is_named(tmp_path: Path, name: str, part: str) -> None:
    path = write(tmp_path / ".docker/config.json", credHelpers={"reg.example": name})
    environment = {"XDG_RUNTIME_DIR": str(tmp_path), "PATH": str(tmp_path)}
    tried = FileCredentials(environment, tmp_path).lookup("reg.example").tried
    assert tried == (f"{path}: docker-credential-{name} is not on the PATH (it is part of {part})", str(path))


def test_a_file_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    """/run/containers of another user: told of once, and the next file counts."""
    write(tmp_path / ".docker/config.json", auths={"reg.example": packed("docker")})
    loop = tmp_path / "runtime/containers/auth.json"
    loop.parent.mkdir(parents=True)
    loop.symlink_to(loop)  # root can read everything else
    notes: list[str] = []
    source = FileCredentials({"XDG_RUNTIME_DIR": str(tmp_path / "runtime")}, tmp_path, note=notes.append)
    assert source.lookup("reg.example").credentials == Credentials("docker", SECRET)
    assert source.lookup("other.example").tried == (str(tmp_path / ".docker/config.json"), f"{loop}, which can't be read")
    assert notes == [f"{loop}: can't be read (Too many levels of symbolic links), passed over"]
    with pytest.raises(UsageError, match="no such file"):
        FileCredentials({}, tmp_path, loop).lookup("reg.example")


def test_a_folder_where_a_file_should_be(tmp_path: Path) -> None:
    """What a container engine makes of a bind mount whose source isn't there."""
    (tmp_path / ".docker/config.json").mkdir(parents=True)
    assert found(tmp_path) is None


@pytest.mark.parametrize("name", ["broken", "odd", "absent", "../evil"])
def test_a_helper_that_fails_is_told_of_and_passed_by(tmp_path: Path, helper: dict[str, str], name: str) -> None:
    path = write(tmp_path / ".docker/config.json", credsStore=name)
    environment = {"XDG_RUNTIME_DIR": str(tmp_path), **helper}
    lookup = FileCredentials(environment, tmp_path).lookup("reg.example")
    assert lookup.credentials is None
    assert len(lookup.tried) == 2
    assert lookup.tried[0].startswith(f"{path}: ")
    assert SECRET not in str(lookup.tried)


def test_no_secret_is_an_argument(tmp_path: Path, helper: dict[str, str]) -> None:
    store = Helper("test", helper)
    store.store("reg.example", "u", SECRET)
    assert json.loads(Path(helper["KEPT"], "stored").read_text()) == {
        "ServerURL": "reg.example",
        "Username": "u",
        "Secret": SECRET,
    }
    assert SECRET not in Path(helper["KEPT"], "calls").read_text()
    with pytest.raises(HelperError) as caught:
        Helper("broken", helper).store("reg.example", "u", SECRET)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '"x"',
        '{"auths": {"reg.example": {"auth": "%%%"}}}',
        '{"auths": {"reg.example": {"auth": "dXNlcg=="}}}',
        '{"auths": {"reg.example": {"registrytoken": "\\u03b1"}}}',
        '{"auths": {"reg.example": {"registrytoken": "a\\nb"}}}',
    ],
)
def test_damaged_files(tmp_path: Path, text: str) -> None:
    path = tmp_path / ".docker/config.json"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(UsageError, match="expected") as caught:
        found(tmp_path)
    assert str(path) in str(caught.value)


def test_nothing_shows_a_secret(tmp_path: Path) -> None:
    write(tmp_path / ".docker/config.json", auths={"reg.example": packed("u")})
    source = FileCredentials({"SOME": SECRET}, tmp_path)
    shown = repr(source) + repr(source.lookup("reg.example"))
    assert SECRET not in shown
    assert SECRET not in repr(CredentialStore(tmp_path, {"SOME": SECRET}))


# Login and logout


def test_a_login_is_found_again(tmp_path: Path) -> None:
    kept = {"auths": {"other": packed("o"), "https://reg.example/v1/": packed("old")}, "HttpHeaders": {"X": "ü"}}
    path = write(tmp_path / ".docker/config.json", **kept)
    store = CredentialStore.of({}, tmp_path)
    assert store.store("reg.example", Credentials("u", SECRET)) == str(path)
    assert found(tmp_path) == Credentials("u", SECRET)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    fields = json.loads(path.read_text())
    assert set(fields["auths"]) == {"other", "reg.example"}
    assert fields["HttpHeaders"] == {"X": "ü"}
    assert store.erase("reg.example") == [str(path)]
    assert found(tmp_path) is None
    assert found(tmp_path, "other") == Credentials("o", SECRET)
    assert store.erase("reg.example") == []
    assert [item.name for item in path.parent.iterdir()] == ["config.json"]


def test_the_first_login_makes_the_file(tmp_path: Path) -> None:
    store = CredentialStore.of({"DOCKER_CONFIG": str(tmp_path / "new/docker")}, tmp_path)
    store.store("docker.io", Credentials.of("<token>", SECRET))
    path = tmp_path / "new/docker/config.json"
    assert json.loads(path.read_text()) == {"auths": {HUB_KEY: {"identitytoken": SECRET}}}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_linked_file_stays_linked(tmp_path: Path) -> None:
    real = write(tmp_path / "dotfiles/config.json", auths={})
    link = tmp_path / ".docker/config.json"
    link.parent.mkdir()
    link.symlink_to(real)
    CredentialStore.of({}, tmp_path).store("reg.example", Credentials("u", SECRET))
    assert link.is_symlink()
    assert "reg.example" in json.loads(real.read_text())["auths"]


@pytest.mark.parametrize("setting", [{"credsStore": "test"}, {"credHelpers": {"reg.example": "test"}}])
def test_a_helper_keeps_it_instead(tmp_path: Path, helper: dict[str, str], setting: dict[str, Any]) -> None:
    path = write(tmp_path / ".docker/config.json", **setting)
    store = CredentialStore.of(helper, tmp_path)
    assert store.store("reg.example", Credentials("u", SECRET)) == "docker-credential-test"
    assert SECRET not in path.read_text()
    assert json.loads(Path(helper["KEPT"], "stored").read_text())["Secret"] == SECRET
    keep(helper, "reg.example", "u")
    assert store.erase("reg.example") == ["docker-credential-test"]
    assert store.erase("reg.example") == []
