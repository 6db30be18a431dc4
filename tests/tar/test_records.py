"""What is left out is gone, and the rest is what it was, as other readers see it."""

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerkit.tar.framing import Framer
from layerkit.tar.records import without_records
from tests.tar_building import END, directory, file

KEYS = ["comment", "SCHILY.xattr.user.a", "SCHILY.xattr.user.b", "mtime", "key=with=equals"]
records = st.dictionaries(st.sampled_from(KEYS[:4]), st.sampled_from(["1", "y", "a\nb", "x" * 600]), max_size=4)


@given(pax=records, gone=st.sets(st.sampled_from(KEYS)), name=st.sampled_from(["d", "long/" * 40]), gnu=st.booleans())
def test_only_those_are_gone(pax: dict[str, str], gone: set[str], name: str, gnu: bool) -> None:
    pax = {key: "7.5" if key == "mtime" else value for key, value in pax.items()}
    head = directory(name, pax=dict(pax), gnu=gnu)
    left = without_records(head, lambda key, value: key.decode() in gone)
    (was,), (now,) = Framer("was").feed(head), Framer("now").feed(left)
    assert now.data == now.end == len(left)
    assert now.pax == {key: value for key, value in was.pax.items() if key.decode() not in gone}
    assert (now.name, now.kind, now.head[-512:]) == (was.name, was.kind, was.head[-512:])
    if not gone & {key.decode() for key in was.pax}:
        assert left == head
    with tarfile.open(fileobj=io.BytesIO(left + END)) as archive:
        assert [info.name for info in archive] == [name.rstrip("/")]


def test_values_count() -> None:
    head = directory("d", pax={"comment": "y"})
    assert without_records(head, lambda key, value: value == b"n") == head
    assert b"comment" not in without_records(head, lambda key, value: (key, value) == (b"comment", b"y"))


@pytest.mark.parametrize("run", [file("plain"), directory("d", gnu=True)])
def test_what_has_none_stays(run: bytes) -> None:
    assert without_records(run, lambda key, value: True) == run
