"""The record: what was said is found again, whatever happened to the file."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from layerkit.batch import record as subject
from layerkit.batch.record import Record, options_key
from layerkit.image.digest import Digest, sha256
from layerkit.journal import Journal

DIGESTS = st.integers(0, 5).map(lambda seed: sha256(bytes([seed])))
TAGS = st.sampled_from(["host.example/a:1", "host.example/a:2", "host.example/b:1"])
OPTIONS = st.sampled_from(["one", "two"])
DID = st.tuples(DIGESTS, OPTIONS, TAGS, DIGESTS)


class Lines:
    """A journal in memory."""

    def __init__(self, lines: list[str] | None = None) -> None:
        self.kept = lines or []

    def lines(self) -> list[str]:
        return list(self.kept)

    def say(self, line: str) -> None:
        self.kept.append(line)

    def replace(self, lines: list[str]) -> None:
        self.kept = lines


@given(st.lists(DID))
def test_what_was_done_last_counts(done: list[tuple[Digest, str, str, Digest]]) -> None:
    lines = Lines()
    record = Record(lines)
    last: dict[str, tuple[Digest, str, Digest]] = {}
    for source, options, tag, result in done:
        record.did(source, options, tag, result)
        last[tag] = (source, options, result)
    for each in (record, Record(lines)):
        for tag, (source, options, result) in last.items():
            assert each.done(source, options, tag) == result
            assert each.last(tag) == result
            assert each.done(source, "three", tag) is None


@given(st.lists(DID, min_size=1), st.data())
def test_a_damaged_file_claims_nothing_that_was_not_said(
    done: list[tuple[Digest, str, str, Digest]], data: st.DataObject
) -> None:
    lines = Lines()
    record = Record(lines)
    for each in done:
        record.did(*each)
    text = "\n".join(lines.kept)
    start = data.draw(st.integers(0, len(text)))
    damaged = text[:start] + data.draw(st.text(max_size=5)) + text[data.draw(st.integers(start, len(text))) :]
    found = Record(Lines(damaged.split("\n")))
    said = set(done)
    for source, options, tag, _ in done:
        result = found.done(source, options, tag)
        assert result is None or (source, options, tag, result) in said


def test_a_blob_has_one_place() -> None:
    record = Record(lines := Lines())
    digest = sha256(b"blob")
    record.put("host.example", "first", digest)
    record.put("host.example", "second", digest)
    assert len(lines.kept) == 1
    assert Record(lines).place("host.example", digest) == "first"
    assert record.place("other.example", digest) is None


@settings(max_examples=5)
@given(st.lists(DID, min_size=30, max_size=60))
def test_it_is_made_short(done: list[tuple[Digest, str, str, Digest]]) -> None:
    lines = Lines()
    record = Record(lines)
    for each in done:
        record.did(*each)
    before, subject.MOST_LINES = subject.MOST_LINES, 25
    try:
        short = Record(lines)
    finally:
        subject.MOST_LINES = before
    assert len(lines.kept) <= 12
    again = Record(lines)
    for tag in {tag for _, _, tag, _ in done}:
        assert again.last(tag) == short.last(tag) == record.last(tag)


def test_options_that_are_the_same_have_the_same_key() -> None:
    assert options_key(limit=1, kinds=frozenset({"a", "b"})) == options_key(kinds=frozenset({"b", "a"}), limit=1)
    assert options_key(limit=1) != options_key(limit=2)


def test_lines_of_two_processes_and_of_one_that_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "state" / "batch"
    first, second = Journal(path), Journal(path)
    first.say("one")
    second.say("two")
    with path.open("ab") as file:
        file.write(b"\n{cut sh")
    first.say("three")
    said = [line for line in Journal(path).lines() if line]
    assert said == ["one", "two", "{cut sh", "three"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_journal_is_only_made_short_while_nobody_else_has_it(tmp_path: Path) -> None:
    path = tmp_path / "batch"
    first, second = Journal(path), Journal(path)
    first.say("one")
    second.say("two")
    first.replace(["one"])
    assert "two" in Journal(path).lines()
    second.close()
    first.replace(["one"])
    first.say("three")
    assert [line for line in Journal(path).lines() if line] == ["one", "three"]


def test_a_journal_that_others_may_write_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "batch"
    path.write_text("one\n")
    path.chmod(0o666)
    told: list[str] = []
    journal = Journal(path, told.append)
    assert journal.lines() == []
    journal.say("two")
    assert path.read_text() == "one\n"
    assert len(told) == 1
    assert "others may write to it" in told[0]
