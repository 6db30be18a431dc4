"""New layers that are sound by themselves, but not what the layer was, are an error."""

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerkit.errors import DamagedError, ProofError
from layerkit.filesystem.proof import Proof
from layerkit.tar.framing import Framer
from tests import tar_building as tar

FILES = [tar.file(f"data/file-{number}", b"content %d" % number) for number in range(6)]
SOURCE = tar.layer(tar.directory("data", mtime=7), *FILES)


def proof(source: bytes, parts: Sequence[bytes], dropped: Sequence[bytes] = ()) -> None:
    made = Proof("layer")
    made.see(source, Framer("layer").feed(source))
    for number, part in enumerate(parts):
        made.consists(number, part)
    made.close(dropped, [source], [[part, tar.END] for part in parts])


@given(st.sets(st.integers(0, 6)), st.integers(1, 700))
def test_the_same_in_other_parts(cuts: set[int], step: int) -> None:
    edges = sorted({0, *cuts, 6})
    parts = [b"".join(FILES[begin:end]) for begin, end in itertools.pairwise(edges)]
    made = Proof("layer")
    made.see(SOURCE, Framer("layer").feed(SOURCE))
    for number, part in enumerate(parts):
        whole = tar.directory("data", mtime=7) + part
        for at in range(0, len(whole), step):
            made.consists(number, whole[at : at + step])
    made.close([], iter(()), [])  # what is the same isn't read again


@pytest.mark.parametrize(
    ("parts", "found"),
    [
        ([FILES[:3], [*FILES[3:5], tar.file("data/file-5", b"CONTENT 5")]], "data/file-5: content"),
        ([FILES[:3], FILES[3:5]], "data/file-5: type: file -> absent"),
        ([FILES, [tar.file("data/more")]], "data/more: type: absent -> file"),
        ([FILES[:3], FILES[3:], [tar.opaque("data")]], "data"),
        ([FILES, [tar.whiteout("other/gone")]], "other"),
    ],
)
def test_a_difference(parts: list[list[bytes]], found: str) -> None:
    with pytest.raises(ProofError, match=f"layer: the .* layers made of it don't give the same filesystem: .*{found}"):
        proof(SOURCE, [tar.directory("data", mtime=7) + b"".join(part) for part in parts])


def test_what_it_hides_of_lower_layers() -> None:
    hiding = tar.layer(tar.directory("data", mtime=7), tar.opaque("data"), *FILES)
    with pytest.raises(ProofError, match="what it hides of lower layers"):
        proof(hiding, [tar.directory("data", mtime=7) + b"".join(FILES)])


def test_what_was_left_out_on_purpose() -> None:
    proof(tar.layer(*FILES, tar.file("stargz.index.json", b"{}")), [b"".join(FILES)], [b"stargz.index.json"])


def test_what_changes_meanwhile_is_told() -> None:
    part = tar.directory("data", mtime=7) + b"".join(FILES[:5])
    for source, parts in ((tar.layer(*FILES), [part + tar.END]), (SOURCE, [part + FILES[5] + tar.END])):
        made = Proof("layer")
        made.see(SOURCE, Framer("layer").feed(SOURCE))
        made.consists(0, part)
        with pytest.raises(DamagedError, match="layer: it is another when it is read once more"):
            made.close([], [source], [[raw] for raw in parts])
