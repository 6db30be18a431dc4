"""Whole images: every kind of change is told, nothing else is, and damage is an error."""

import gzip
from typing import Any

import pytest
import zstandard

from layerkit.errors import DamagedError, ImageError, MissingBlobError, UsageError
from layerkit.filesystem import Difference, verify
from layerkit.filesystem.loading import Loader
from layerkit.image.blob import Blob, Bytes, blob_of
from layerkit.image.image import Image
from layerkit.image.media_types import OCI_FOREIGN_LAYER
from layerkit.progress import Silent
from tests.layered import gzipped, image_of, index_of
from tests.tar_building import (
    block_device,
    char_device,
    directory,
    fifo,
    file,
    global_header,
    gnu_sparse,
    hard_link,
    layer,
    opaque,
    symlink,
    whiteout,
)

BASE = layer(directory("etc", mtime=1), file("etc/passwd", b"root"), file("etc/old"), directory("var"), file("var/x", b"x"))
TOP = layer(file("top", b"top"), whiteout("var/x"))

RUNS: dict[str, bytes] = {
    "directory": directory("d", mode=0o750, uid=1, gid=2, xattrs={"user.d": "1"}),
    "file": file("d/file", b"content", mode=0o4755, xattrs={"security.capability": b"\x01\0\0\x02"}),
    "link": hard_link("d/link", "d/file", mode=0o4755, xattrs={"security.capability": b"\x01\0\0\x02"}),
    "symlink": symlink("d/symlink", "file"),
    "device": char_device("d/device", 1, 3, mode=0o666),
    "disk": block_device("d/disk", 8, 0),
    "fifo": fifo("d/fifo"),
    "time": file("d/time", pax={"mtime": "1600000000.5"}),
    "sparse": gnu_sparse("d/sparse", [(0, b"a" * 512)], 4096),
    "whiteout": whiteout("etc/old"),
    "opaque": opaque("var"),
}
"""The layer that changes, run by run."""


def middle(**changed: bytes) -> bytes:
    return layer(*{**RUNS, **changed}.values())


def whole(changed: bytes | None = None, **more: Any) -> Image:
    return image_of(BASE, middle() if changed is None else changed, TOP, **more)


CAPABILITY = {"security.capability": b"\x01\0\0\x02"}

MUTATIONS: dict[str, tuple[dict[str, bytes], list[tuple[str, str]]]] = {
    "mode of a directory": (
        {"directory": directory("d", mode=0o755, uid=1, gid=2, xattrs={"user.d": "1"})},
        [("/d", "mode")],
    ),
    "sticky bit of a directory": (
        {"directory": directory("d", mode=0o1750, uid=1, gid=2, xattrs={"user.d": "1"})},
        [("/d", "mode")],
    ),
    "owner of a directory": ({"directory": directory("d", mode=0o750, uid=0, gid=2, xattrs={"user.d": "1"})}, [("/d", "uid")]),
    "group of a directory": ({"directory": directory("d", mode=0o750, uid=1, gid=0, xattrs={"user.d": "1"})}, [("/d", "gid")]),
    "time of a directory": (
        {"directory": directory("d", mode=0o750, uid=1, gid=2, xattrs={"user.d": "1"}, mtime=1)},
        [("/d", "mtime")],
    ),
    "xattr of a directory": (
        {"directory": directory("d", mode=0o750, uid=1, gid=2, xattrs={"user.d": "2"})},
        [("/d", "xattr user.d")],
    ),
    "no xattr of a directory": ({"directory": directory("d", mode=0o750, uid=1, gid=2)}, [("/d", "xattr user.d")]),
    "directory without an entry": ({"directory": b""}, [("/d", "attributes")]),
    "one byte": (
        {"file": file("d/file", b"Content", mode=0o4755, xattrs=CAPABILITY)},
        [("/d/file", "content"), ("/d/link", "content")],
    ),
    "length": (
        {"file": file("d/file", b"contents", mode=0o4755, xattrs=CAPABILITY)},
        [("/d/file", "content"), ("/d/file", "size"), ("/d/link", "content"), ("/d/link", "size")],
    ),
    "lost capability": (
        {"file": file("d/file", b"content", mode=0o4755), "link": hard_link("d/link", "d/file", mode=0o4755)},
        [("/d/file", "xattr security.capability"), ("/d/link", "xattr security.capability")],
    ),
    "lost setuid bit": (
        {"link": hard_link("d/link", "d/file", mode=0o755, xattrs=CAPABILITY)},
        [("/d/file", "mode"), ("/d/link", "mode")],
    ),
    "link became a copy": (
        {"link": file("d/link", b"content", mode=0o4755, xattrs=CAPABILITY)},
        [("/d/link", "shares its inode with")],
    ),
    "link to something else": (
        {"link": file("d/x") + hard_link("d/link", "d/x")},
        [
            ("/d/link", "content"),
            ("/d/link", "mode"),
            ("/d/link", "shares its inode with"),
            ("/d/link", "size"),
            ("/d/link", "xattr security.capability"),
            ("/d/x", "type"),
        ],
    ),
    "target of a symlink": ({"symlink": symlink("d/symlink", "other")}, [("/d/symlink", "target")]),
    "owner of a symlink": ({"symlink": symlink("d/symlink", "file", uid=7)}, [("/d/symlink", "uid")]),
    "time of a symlink": ({"symlink": symlink("d/symlink", "file", mtime=7)}, [("/d/symlink", "mtime")]),
    "symlink became a file": ({"symlink": file("d/symlink", b"content")}, [("/d/symlink", "type")]),
    "major number": ({"device": char_device("d/device", 2, 3, mode=0o666)}, [("/d/device", "device")]),
    "minor number": ({"device": char_device("d/device", 1, 5, mode=0o666)}, [("/d/device", "device")]),
    "character device became a disk": ({"device": block_device("d/device", 1, 3, mode=0o666)}, [("/d/device", "type")]),
    "number of a disk": ({"disk": block_device("d/disk", 8, 1)}, [("/d/disk", "device")]),
    "fifo became a file": ({"fifo": file("d/fifo")}, [("/d/fifo", "type")]),
    "half a second": ({"time": file("d/time", pax={"mtime": "1600000000"})}, [("/d/time", "mtime")]),
    "a nanosecond": ({"time": file("d/time", pax={"mtime": "1600000000.500000001"})}, [("/d/time", "mtime")]),
    "hole elsewhere": ({"sparse": gnu_sparse("d/sparse", [(512, b"a" * 512)], 4096)}, [("/d/sparse", "content")]),
    "missing file": ({"time": b""}, [("/d/time", "type")]),
    "one file more": ({"time": RUNS["time"] + file("d/more")}, [("/d/more", "type")]),
    "lost whiteout": ({"whiteout": b""}, [("/etc", "attributes"), ("/etc/old", "type")]),
    "whiteout of another": ({"whiteout": whiteout("etc/passwd")}, [("/etc/old", "type"), ("/etc/passwd", "type")]),
    "opaque elsewhere": ({"opaque": opaque("etc")}, [("/etc/passwd", "type")]),
    "pax global": ({"sparse": global_header({"mtime": "5"}) + RUNS["sparse"]}, [("/d/sparse", "pax global mtime")]),
}


def found(before: Image, after: Image, **options: Any) -> list[tuple[str, str]]:
    return [(item.path, item.what) for item in verify(before, after, **options)]


@pytest.mark.parametrize("name", MUTATIONS)
def test_each_change_is_told(name: str) -> None:
    runs, expected = MUTATIONS[name]
    assert found(whole(), whole(middle(**runs))) == sorted(expected)
    assert found(whole(middle(**runs)), whole()) == sorted(expected)


def test_opaque_marker_that_hides_nothing_but_what_is_gone() -> None:
    """`var/x` is hidden by the layer above as well: the markers differ, the filesystem doesn't."""
    assert found(whole(), whole(middle(opaque=b""))) == []
    deeper = image_of(BASE, middle(), name="a"), image_of(BASE, middle(opaque=b""), name="b")
    assert found(*deeper) == [("/var", "attributes"), ("/var/x", "type")]


def test_no_difference() -> None:
    assert found(whole(), whole()) == []
    assert found(whole(), whole(compress=None)) == []
    assert found(whole(), whole(compress=zstandard.ZstdCompressor().compress)) == []
    assert found(whole(), whole(compress=lambda data: gzip.compress(data[:99]) + gzip.compress(data[99:]))) == []


def test_layers_split_by_hand() -> None:
    """The right way, and one that forgets the directory."""
    runs = list(RUNS.values())
    first, second = layer(*runs[:3], *runs[9:]), layer(runs[0], *runs[3:9])
    assert found(whole(), image_of(BASE, first, second, TOP)) == []
    assert found(whole(), image_of(BASE, first, layer(*runs[3:9]), TOP)) == [("/d", "attributes")]
    squashed = layer(directory("etc", mtime=1), file("etc/passwd", b"root"), directory("var"), *runs[:9], file("top", b"top"))
    assert {what for _, what in found(whole(), image_of(squashed))} == {"attributes"}


def test_platforms() -> None:
    arm = whole(middle(time=b""), architecture="arm64")
    both, one = index_of(whole(), arm), whole()
    assert found(both, index_of(arm, whole())) == []
    assert found(both, one) == [("image", "platform linux/arm64")]
    assert found(one, both) == [("image", "platform linux/arm64")]
    assert found(both, one, platforms=["linux/amd64"]) == []
    changed = index_of(whole(), whole(architecture="arm64"))
    assert [str(item) for item in verify(both, changed)] == ["linux/arm64: /d/time: type: absent -> file"]
    assert found(both, changed, platforms=["linux/amd64"]) == []
    with pytest.raises(UsageError, match="no image for linux/s390x; there is linux/amd64, linux/arm64"):
        verify(both, changed, platforms=["linux/s390x"])


CONFIGS: dict[str, tuple[dict[str, Any], str]] = {
    "environment": ({"config": {"Env": ["PATH=/sbin"], "Cmd": ["/bin/true"]}}, "config.Env"),
    "command": ({"config": {"Env": ["PATH=/bin"]}}, "config.Cmd"),
    "user": ({"config": {"Env": ["PATH=/bin"], "Cmd": ["/bin/true"], "User": "7"}}, "config.User"),
    "created": ({"created": "2024-01-01T00:00:00Z"}, "created"),
    "variant": ({"variant": "v8"}, "variant"),
    "author": ({"author": "x"}, "author"),
    "null": ({"author": None}, "author"),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_config(name: str) -> None:
    fields, what = CONFIGS[name]
    assert found(whole(), whole(config=fields)) == [("config", what)]
    assert found(whole(config=fields), whole()) == [("config", what)]


def lines(*created_by: str | None, comment: str = "") -> dict[str, Any]:
    """A history; None is a line without a layer."""
    return {
        "history": [
            {"created_by": text, "comment": comment} if text else {"created_by": "ENV", "empty_layer": True}
            for text in created_by
        ]
    }


def test_history() -> None:
    before = whole(config=lines("a", None, "b", "c"))
    assert found(before, whole(config=lines("a", None, "b", "c"))) == []
    parts = image_of(BASE, layer(*list(RUNS.values())[:9]), layer(RUNS["whiteout"], RUNS["opaque"]), TOP)
    assert found(whole(), parts) == []
    split = lines("a", None, "b", "b", "c", comment="part")
    parts = image_of(BASE, layer(*list(RUNS.values())[:9]), layer(RUNS["whiteout"], RUNS["opaque"]), TOP, config=split)
    assert found(before, parts) == []
    assert found(before, whole(config=lines("a", "b", "c"))) == [("config", "history line 2")]
    assert found(before, whole(config=lines("a", None, "b", "x"))) == [("config", "history line 4")]
    assert found(before, whole()) == [("config", "history line 1")]
    assert found(before, whole(config=lines("a", None, "b", "b", "c"))) == [("config", "history")]


def broken(image: Image, number: int, data: bytes | None) -> Image:
    """The image with one layer's blob replaced, or missing."""
    digest = image.platforms()[0].manifest.layers[number].digest
    blobs = dict(image.blobs)
    if data is None:
        del blobs[digest]
    else:
        blobs[digest] = Blob(digest, Bytes(data))
    return Image("broken.tar", image.root, blobs)


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("other", [None, b"x" * 512])
def test_damage_is_an_error(number: int, other: bytes | None) -> None:
    """In layers that are decoded, and in those that both sides have."""
    after = whole(middle(time=b"") if other else None)
    layers = after.platforms()[0].manifest.layers
    size = layers[number].size
    with pytest.raises(MissingBlobError, match=r"broken\.tar: blob sha256:"):
        verify(whole(), broken(after, number, None))
    with pytest.raises(DamagedError, match=r"broken\.tar: blob sha256:.*: expected .* bytes, found"):
        verify(whole(), broken(after, number, b"short"))
    flipped = bytearray(gzipped((BASE, middle(time=b"") if other else middle(), TOP)[number]))
    flipped[size // 2] ^= 1
    with pytest.raises(DamagedError, match=r"broken\.tar: "):
        verify(whole(), broken(after, number, bytes(flipped)))


def test_wrong_diff_ids() -> None:
    after = whole(middle(time=b""), diff_ids=["sha256:" + "0" * 64] * 3)
    with pytest.raises(DamagedError, match=r"layer 2 .*: diff_id: expected sha256:0000.*, as the config says, found sha256:"):
        verify(whole(), after)
    after = whole(middle(time=b""), diff_ids=["sha256:" + "0" * 64])
    with pytest.raises(DamagedError, match=r"rootfs\.diff_ids: expected 3, one per layer of the manifest, found 1"):
        verify(whole(), after)


class Heard(Silent):
    """Keeps what it was warned of."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def with_manifest(image: Image, raw: bytes) -> Image:
    blob = blob_of(raw)
    return Image("odd.tar", image.root.changed(digest=blob.digest, size=blob.size), {**image.blobs, blob.digest: blob})


def test_foreign_layer_that_is_elsewhere() -> None:
    image = whole()
    manifest = image.platforms()[0].manifest
    raw = manifest.raw.replace(manifest.layers[0].media_type.encode(), OCI_FOREIGN_LAYER.encode(), 1)
    foreign = with_manifest(image, raw)
    blobs = {digest: blob for digest, blob in foreign.blobs.items() if digest != manifest.layers[0].digest}
    elsewhere = Image("foreign.tar", foreign.root, blobs)
    heard = Heard()
    assert verify(elsewhere, elsewhere, progress=heard) == []
    assert any("is not in the image (foreign)" in warning for warning in heard.warnings)
    with pytest.raises(MissingBlobError):
        verify(elsewhere, whole(middle(time=b"")))


def test_layers_that_are_no_tars() -> None:
    image = whole()
    manifest = image.platforms()[0].manifest
    raw = manifest.raw.replace(manifest.layers[1].media_type.encode(), b"application/x-model")
    odd = with_manifest(image, raw)
    assert verify(odd, odd) == []
    with pytest.raises(ImageError, match="expected a layer that is a tar, found media type 'application/x-model'"):
        verify(odd, whole(middle(time=b"")))


def test_each_layer_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What both have at the bottom and the top isn't decoded at all, unless there is a difference to be told."""
    decodings: list[str] = []
    load = Loader._load

    def counted(self: Loader, blob: Blob, where: str, *rest: Any) -> Any:
        decodings.append(where)
        return load(self, blob, where, *rest)

    monkeypatch.setattr(Loader, "_load", counted)
    runs = list(RUNS.values())
    parts = image_of(BASE, layer(*runs[:3], *runs[9:]), layer(runs[0], *runs[3:9]), TOP)
    assert verify(whole(), whole()) == []
    assert decodings == []
    assert verify(whole(), parts) == []
    assert len(decodings) == 3
    assert verify(whole(), whole(middle(time=b""))) != []
    assert len(decodings) == 3 + 2 + 2 + 1, "and once more what held the file that is missing"
    assert decodings[-1] == decodings[3]


def test_lines() -> None:
    assert str(Difference("/a", "mode", "0644", "0600")) == "/a: mode: 0644 -> 0600"
    bad = image_of(layer(file(b"\xff\x1b[31m\n", b"1", mode=0o600, mtime=0)))
    good = image_of(layer(file(b"\xff\x1b[31m\n", b"1", mode=0o644, mtime=1 << 40, xattrs={"user.a": b"\0"})))
    assert [str(item) for item in verify(bad, good)] == [
        r"/\xff\x1b[31m\n: mode: 0600 -> 0644",
        r"/\xff\x1b[31m\n: mtime: 1970-01-01T00:00:00Z -> 1099511627776 s",
        r"/\xff\x1b[31m\n: xattr user.a: absent -> 00",
    ]
    tree = image_of(layer(directory("a"), file("a/b/c")))
    assert [str(item) for item in verify(tree, image_of(layer()))] == ["/a: type: directory with 2 below it -> absent"]
