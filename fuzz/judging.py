"""What is right: judged by zlib, zstandard, hashlib and tarfile, and by `layerkit.verify`."""

import hashlib
import io
import json
import tarfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import zstandard

import layerkit
from layerkit.image.digest import Digest
from layerkit.image.image import Image

Contents = Mapping[str, tuple[Any, ...]]


class WrongError(AssertionError):
    """A result that doesn't hold."""


def blob_of(image: Image, digest: str) -> bytes:
    """A blob, whose digest is compared here."""
    data = b"".join(bytes(chunk) for chunk in image.blobs[Digest(digest)].chunks())
    found = hashlib.new(digest.partition(":")[0], data).hexdigest()
    if found != digest.partition(":")[2]:
        raise WrongError(f"blob {digest}: its bytes have {found}")
    return data


def raw_of(stream: bytes) -> bytes:
    """A layer's tar, by decoders that layerkit doesn't read layers with."""
    if stream[:2] == b"\x1f\x8b":
        out = []
        while stream.strip(b"\0"):
            decoder = zlib.decompressobj(31)
            out.append(decoder.decompress(stream) + decoder.flush())
            if not decoder.eof:
                raise WrongError("a gzip stream that doesn't end")
            stream = decoder.unused_data
        return b"".join(out)
    if stream[:4] == b"\x28\xb5\x2f\xfd" or stream[1:4] == b"\x2a\x4d\x18":
        reader = zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(stream, read_across_frames=True)
        return bytes(reader.read())
    return stream


def check_image(image: Image, *, limit: int | None, untouched: Collection[str] = ()) -> list[list[bytes]]:
    """Every document and layer is what it is said to be, and no layer is above the limit. Layers with the digests `untouched` may
    hold anything. The layers' tars, by platform."""
    found = []
    for platform in image.platforms():
        config = json.loads(blob_of(image, platform.manifest.config.digest))
        diff_ids = config["rootfs"]["diff_ids"]
        layers = platform.manifest.layers
        if len(layers) != len(diff_ids):
            raise WrongError(f"{len(layers)} layers and {len(diff_ids)} diff_ids")
        tars = []
        for layer, diff_id in zip(layers, diff_ids, strict=True):
            stream = blob_of(image, layer.digest)
            if len(stream) != layer.size:
                raise WrongError(f"{layer.digest}: {len(stream):,} bytes, said to be {layer.size:,}")
            if limit is not None and len(stream) > limit:
                raise WrongError(f"{layer.digest}: {len(stream):,} bytes, over the limit of {limit:,}")
            if layer.digest in untouched:
                continue
            raw = raw_of(stream)
            if "sha256:" + hashlib.sha256(raw).hexdigest() != diff_id:
                raise WrongError(f"{layer.digest}: what comes out isn't {diff_id}")
            tars.append(raw)
        found.append(tars)
    return found


def check_same(before: Image, after: Image) -> None:
    """`verify` finds nothing."""
    differences = layerkit.verify(before, after)
    if differences:
        raise WrongError("verify: " + "; ".join(map(str, differences[:5])))


def check_contents(before: list[bytes], after: list[bytes]) -> None:
    """Two stacks of layers hold the same by tarfile's account. For layers of ordinary entries only: what replaces or hides what,
    this knows nothing of."""
    try:
        left = _contents(before)
    except tarfile.ReadError:
        return  # Python's reader can't take all that others do
    right = _contents(after)
    different = sorted(path for path in left.keys() | right.keys() if left.get(path) != right.get(path))
    if different:
        path = different[0]
        raise WrongError(f"tarfile: {len(different)} paths differ; {path!r}: {left.get(path)} and {right.get(path)}")


def _contents(layers: list[bytes]) -> Contents:
    found: dict[str, tuple[Any, ...]] = {}
    for raw in layers:
        own: dict[str, tuple[Any, ...]] = {}
        for path, entry in _entries(raw):
            if entry[0] == tarfile.LNKTYPE:
                target = own.get(entry[1])
                if target is None:
                    raise WrongError(f"tarfile: {path!r} is linked to {entry[1]!r}, which isn't in its layer")
                entry = target
            own[path] = entry
        found.update(own)
    return found


def _entries(raw: bytes) -> Iterator[tuple[str, tuple[Any, ...]]]:
    if not raw:
        return
    with tarfile.open(fileobj=io.BytesIO(raw), mode="r:", errors="surrogateescape", encoding="utf-8") as archive:
        for member in archive:
            path = _clean(member.name)
            if member.islnk():
                yield path, (tarfile.LNKTYPE, _clean(member.linkname))
                continue
            data = archive.extractfile(member) if member.isreg() and not member.issparse() else None
            digest = hashlib.sha256(data.read()).hexdigest() if data is not None else ""
            attributes = {key: value for key, value in member.pax_headers.items() if "xattr" in key}
            yield (
                path,
                (
                    member.type,
                    member.mode,
                    member.uid,
                    member.gid,
                    member.mtime,
                    member.size,
                    member.linkname,
                    digest,
                    attributes,
                ),
            )


def _clean(name: str) -> str:
    return "/".join(part for part in name.split("/") if part not in ("", "."))
