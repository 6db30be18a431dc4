"""What is remembered between runs, and what is passed over."""

import fcntl
import json
import multiprocessing
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerkit.state import LESSON_DAYS, MOST_HOSTS, MOST_PROOFS, MOST_UPLOADS, UPLOAD_SECONDS, State

DAY = 86_400.0
BEGAN = 1_780_000_000.0
HOST, REPOSITORY = "registry.example:5000", "app/worker"


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


class Told(list[str]):
    """Notes."""


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "a" / "layerkit"


def state(folder: Path | None, told: Told, at: float = BEGAN) -> State:
    return State(folder, told.append, lambda: at)


# Where it is


def test_where_it_is(tmp_path: Path) -> None:
    for environment, where in (
        ({"XDG_STATE_HOME": str(tmp_path / "x"), "HOME": str(tmp_path)}, tmp_path / "x" / "layerkit"),
        ({"HOME": str(tmp_path)}, tmp_path / ".local/state/layerkit"),
        ({"XDG_STATE_HOME": "relative", "HOME": str(tmp_path / "h")}, tmp_path / "h/.local/state/layerkit"),
    ):
        State.of(environment).teach(HOST, {"way": "whole"})
        assert (where / "hosts.json").is_file()
        assert where.stat().st_mode & 0o777 == 0o700
        assert (where / "hosts.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("environment", [{}, {"HOME": ""}, {"HOME": "~"}, {"XDG_STATE_HOME": ""}])
def test_without_a_home_nothing_is_remembered(environment: dict[str, str], told: Told) -> None:
    found = State.of(environment, told.append)
    found.teach(HOST, {"way": "whole"})
    found.prove({digest(1): digest(2)})
    found.forget(HOST)
    with found.upload(HOST, REPOSITORY, digest(1)) as record:
        record.keep("http://x/", 5)
    assert found.lesson(HOST) is None
    assert found.proof(digest(1)) == (digest(2), found.proof(digest(1)).proved)  # type: ignore[union-attr] # for this run
    assert told == []


# Hosts


def test_what_a_host_taught(folder: Path, told: Told) -> None:
    state(folder, told).teach(HOST, {"body": 5})
    state(folder, told).teach("other", {"body": 6})
    lesson = state(folder, told, BEGAN + 3 * DAY).lesson(HOST)
    assert lesson is not None
    assert (lesson.fields, lesson.learned.isoformat()) == ({"body": 5}, "2026-05-28")
    state(folder, told).forget(HOST)
    assert state(folder, told).lesson(HOST) is None
    assert state(folder, told).lesson("other") is not None
    assert told == []


def test_lessons_grow_old(folder: Path, told: Told) -> None:
    state(folder, told).teach(HOST, {"body": 5})
    assert state(folder, told, BEGAN + LESSON_DAYS * DAY).lesson(HOST) is not None
    assert state(folder, told, BEGAN + (LESSON_DAYS + 1) * DAY).lesson(HOST) is None
    assert state(folder, told, BEGAN - 2 * DAY).lesson(HOST) is None, "the clock was wrong once"


def test_so_many_hosts_and_no_more(folder: Path, told: Told) -> None:
    for number in range(MOST_HOSTS + 5):
        state(folder, told).teach(f"host{number}", {"body": number})
    assert len(json.loads((folder / "hosts.json").read_bytes())["hosts"]) == MOST_HOSTS
    assert state(folder, told).lesson("host4") is None
    assert state(folder, told).lesson("host5") is not None


def _teaches(folder: Path, number: int) -> None:
    for time in range(10):
        State(folder).teach(f"host{number}-{time}", {"body": 1})
        State(folder).prove({digest(1000 * number + time): digest(7)})


def test_processes_lose_nothing(folder: Path, told: Told) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_teaches, args=(folder, number)) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert len(json.loads((folder / "hosts.json").read_bytes())["hosts"]) == 40
    assert all(state(folder, told).proof(digest(1000 * number + time)) for number in range(4) for time in range(10))
    assert sorted(path.name for path in folder.iterdir()) == ["hosts.json", "lock", "proved"]


# Proofs


def test_what_was_proven(folder: Path, told: Told) -> None:
    state(folder, told).prove({digest(1): digest(2), digest(3): digest(4)})
    state(folder, told, BEGAN + 1000 * DAY).prove({digest(1): digest(2)})
    proof = state(folder, told).proof(digest(1))
    assert proof is not None
    assert (proof.diff_id, proof.proved.isoformat()) == (digest(2), "2026-05-28")
    assert state(folder, told).proof(digest(2)) is None


def test_so_many_proofs_and_no_more(folder: Path, told: Told) -> None:
    state(folder, told).prove({digest(number): digest(0) for number in range(MOST_PROOFS)})
    state(folder, told).prove({digest(MOST_PROOFS): digest(0)})
    assert state(folder, told).proof(digest(MOST_PROOFS)) is not None
    assert state(folder, told).proof(digest(0)) is None
    assert (folder / "proved").stat().st_size < 700_000


@given(st.binary(max_size=300))
def test_a_damaged_line_proves_nothing(tmp_path_factory: pytest.TempPathFactory, damage: bytes) -> None:
    folder = tmp_path_factory.mktemp("state") / "layerkit"
    State(folder).prove({digest(1): digest(2), digest(3): digest(4)})
    lines = (folder / "proved").read_bytes().splitlines()
    (folder / "proved").write_bytes(b"\n".join([lines[0], damage, lines[1]]))
    proofs = [State(folder).proof(digest(number)) for number in (1, 3)]
    assert [proof and proof.diff_id for proof in proofs] == [digest(2), digest(4)]
    assert State(folder).proof(digest(2)) is None


# Uploads under way


def test_an_upload_goes_on(folder: Path, told: Told) -> None:
    with state(folder, told).upload(HOST, REPOSITORY, digest(1)) as record:
        assert (record.location, record.offset) == ("", 0)
        record.keep("http://r/v2/u/1?_state=secret-" + "x" * 300, 5)
        record.keep("http://r/v2/u/1?_state=next", 10_000_000_000)
    files = list((folder / "uploads").iterdir())
    assert [path.stat().st_mode & 0o777 for path in files] == [0o600]
    for other in ((HOST, REPOSITORY, digest(2)), (HOST, "app/other", digest(1)), ("elsewhere", REPOSITORY, digest(1))):
        with state(folder, told).upload(*other) as record:
            assert record.location == ""
            record.done()
    with state(folder, told).upload(HOST, REPOSITORY, digest(1)) as record:
        assert (record.location, record.offset) == ("http://r/v2/u/1?_state=next", 10_000_000_000)
        record.done()
    with state(folder, told).upload(HOST, REPOSITORY, digest(1)) as record:
        assert record.location == ""
    assert told == []


def test_two_at_a_time_are_two_uploads(folder: Path, told: Told) -> None:
    with state(folder, told).upload(HOST, REPOSITORY, digest(1)) as first:
        first.keep("http://r/1", 5)
        with state(folder, told).upload(HOST, REPOSITORY, digest(1)) as second:
            assert second.location == ""
            second.keep("http://r/2", 6)
            second.done()
    with state(folder, told).upload(HOST, REPOSITORY, digest(1)) as third:
        assert third.location == "http://r/1"
    assert told == []


def test_old_uploads_are_not_asked_for(folder: Path, told: Told) -> None:
    with state(folder, told).upload(HOST, REPOSITORY, digest(1)) as record:
        record.keep("http://r/1", 5)
    kept = next((folder / "uploads").iterdir())
    os.utime(kept, (BEGAN, BEGAN))
    with state(folder, told, BEGAN + UPLOAD_SECONDS + 1).upload(HOST, REPOSITORY, digest(1)) as record:
        assert record.location == ""


def test_so_many_uploads_and_no_more(folder: Path, told: Told) -> None:
    for number in range(MOST_UPLOADS + 5):
        with State(folder).upload(HOST, REPOSITORY, digest(number)) as record:
            record.keep("http://r/1", 5)
    assert len(list((folder / "uploads").iterdir())) <= MOST_UPLOADS


def test_forgetting_a_host_forgets_its_uploads(folder: Path, told: Told) -> None:
    for host in (HOST, "other"):
        with state(folder, told).upload(host, REPOSITORY, digest(1)) as record:
            record.keep("http://r/1", 5)
    state(folder, told).forget(HOST)
    for host, location in ((HOST, ""), ("other", "http://r/1")):
        with state(folder, told).upload(host, REPOSITORY, digest(1)) as record:
            assert record.location == location


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b"null", b"9" * 5000, b"[" * 5000, b"\xff\xfe", b'{"location": 5}', b" " * 70_000]
)
def test_a_damaged_upload_begins_anew(folder: Path, told: Told, damage: bytes) -> None:
    with State(folder).upload(HOST, REPOSITORY, digest(1)) as record:
        record.keep("http://r/1", 5)
    next((folder / "uploads").iterdir()).write_bytes(damage)
    with State(folder, told.append).upload(HOST, REPOSITORY, digest(1)) as record:
        assert (record.location, record.offset) == ("", 0)
        record.keep("http://r/2", 6)
    if len(damage) < 16_000:
        with State(folder).upload(HOST, REPOSITORY, digest(1)) as record:
            assert record.location == "http://r/2"
    assert told == []


def test_what_has_arrived_otherwise_is_forgotten(folder: Path, told: Told) -> None:
    state(folder, told).uploaded(HOST, REPOSITORY, digest(1))
    with state(folder, told).upload(HOST, REPOSITORY, digest(1)) as record:
        record.keep("http://r/1", 5)
    state(folder, told).uploaded(HOST, REPOSITORY, digest(2))
    assert len(list((folder / "uploads").iterdir())) == 1
    state(folder, told).uploaded(HOST, REPOSITORY, digest(1))
    assert list((folder / "uploads").iterdir()) == []
    assert told == []


def test_a_location_too_long_to_keep(folder: Path, told: Told) -> None:
    with state(folder, told).upload(HOST, REPOSITORY, digest(1)) as record:
        record.keep("http://r/" + "x" * 100_000, 5)
    with state(folder, told).upload(HOST, REPOSITORY, digest(1)) as record:
        assert record.location == ""


# What is passed over


@pytest.mark.parametrize("damage", [b"{", b"[]", b"9" * 5000, b"[" * 5000, b"\xff\xfe", b" " * (2 << 20)])
def test_damaged_hosts_are_passed_over_and_replaced(folder: Path, told: Told, damage: bytes) -> None:
    state(folder, told).teach(HOST, {"body": 5})
    (folder / "hosts.json").write_bytes(damage)
    damaged = state(folder, told)
    assert damaged.lesson(HOST) is None
    assert damaged.lesson(HOST) is None
    assert len(told) == 1
    assert "hosts.json" in told[0]
    damaged.teach(HOST, {"body": 6})
    lesson = state(folder, told).lesson(HOST)
    assert lesson is not None
    assert lesson.fields == {"body": 6}


@pytest.mark.parametrize(
    "entry", [5, {}, {"learned": "soon", "fields": {}}, {"learned": 5, "fields": {}}, {"learned": "2026-05-28"}]
)
def test_a_damaged_entry_teaches_nothing(folder: Path, told: Told, entry: object) -> None:
    state(folder, told).teach("other", {"body": 5})
    hosts = json.loads((folder / "hosts.json").read_bytes())
    hosts["hosts"][HOST] = entry
    (folder / "hosts.json").write_text(json.dumps(hosts))
    assert state(folder, told).lesson(HOST) is None
    assert state(folder, told).lesson("other") is not None


def test_what_others_may_write_is_passed_over(folder: Path, told: Told) -> None:
    """A proof is trusted: nobody else may have written it."""
    state(folder, told).prove({digest(1): digest(2)})
    (folder / "proved").chmod(0o666)
    assert state(folder, told).proof(digest(1)) is None
    assert "others may write" in told[0]
    (folder / "proved").chmod(0o600)
    folder.chmod(0o777)
    assert state(folder, told).proof(digest(1)) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_belongs_to_another_user_is_passed_over(folder: Path, told: Told) -> None:
    state(folder, told).prove({digest(1): digest(2)})
    os.chown(folder / "proved", 12345, 12345)
    assert state(folder, told).proof(digest(1)) is None
    assert "another user" in told[0]


def test_a_link_is_not_followed(folder: Path, told: Told, tmp_path: Path) -> None:
    state(folder, told).prove({digest(1): digest(2)})
    (folder / "proved").rename(tmp_path / "elsewhere")
    (folder / "proved").symlink_to(tmp_path / "elsewhere")
    assert state(folder, told).proof(digest(1)) is None
    assert len(told) == 1


def test_a_folder_that_cannot_be_made(tmp_path: Path, told: Told) -> None:
    (tmp_path / "file").write_text("")
    unwritable = state(tmp_path / "file" / "layerkit", told)
    unwritable.teach(HOST, {"body": 5})
    unwritable.prove({digest(1): digest(2)})
    with unwritable.upload(HOST, REPOSITORY, digest(1)) as record:
        record.keep("http://r/1", 5)
        record.done()
    assert unwritable.lesson(HOST) is None
    assert len(told) == 1, "it is said once"


def test_a_lock_that_is_held_for_good(folder: Path, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("layerkit.state._PATIENCE", 0.1)
    state(folder, told).teach(HOST, {"body": 5})
    with (folder / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        state(folder, told).teach(HOST, {"body": 6})
    lesson = state(folder, told).lesson(HOST)
    assert lesson is not None
    assert lesson.fields == {"body": 5}
    assert "another process holds it" in told[0]


def test_no_test_touches_the_user_s_own(state_home: Path) -> None:
    State.of(os.environ).teach(HOST, {"body": 5})
    assert (state_home / "layerkit" / "hosts.json").is_file()
