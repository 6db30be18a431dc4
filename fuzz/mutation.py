"""Sound bytes and documents, damaged: flipped, moved, cut, repeated, and with values that readers stumble over."""

import json
from typing import Any

from fuzz.choices import Choices, chance, length

_NUMBERS = (
    *(b"0", b"-1", b"00000000000\0", b"77777777777\0", b"7" * 12, b"\xff" * 12, b"\x80" + b"\xff" * 11, b"\x80" + b"\0" * 11),
    *(b"9" * 21, b" " * 12, b"1e9", b"0x10", b"+1", b"1_000"),
)
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 1 << 31, 1 << 63, 1 << 64, -(1 << 63), 10**25, 1.5, 1e308, "", "a", "\0", "\ud800", "../../x"),
    *([], {}, [None], [[]], [{}], {"": None}, "sha256:" + "0" * 64, "sha256:" + "z" * 64, "sha256:", "sha512:" + "0" * 128),
    *("SHA256:" + "a" * 64, "x" * 5000, "9" * 5000, "application/vnd.oci.image.index.v1+json", "linux", "windows", "unknown"),
    *("application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.layer.v1.tar+zstd", "\n::error::x\x1b[2J"),
    *("application/vnd.oci.image.layer.nondistributable.v1.tar", "application/octet-stream", "text/plain; charset=\xff"),
)
_KEYS = (
    *(
        "schemaVersion",
        "mediaType",
        "config",
        "layers",
        "manifests",
        "digest",
        "size",
        "platform",
        "annotations",
        "subject",
        "os",
    ),
    *(
        "rootfs",
        "diff_ids",
        "history",
        "architecture",
        "variant",
        "artifactType",
        "urls",
        "data",
        "created",
        "empty_layer",
        "type",
    ),
    *("org.opencontainers.image.ref.name", "io.containerd.image.name", "vnd.docker.reference.type", "rootfS", "MediaType", "OS"),
)
_ESCAPES = (b"\\ud800", b"NaN", b"Infinity", b"[" * 70, b'{"a":' * 70, b"1" * 5000, b"\xff", b"\0", b'"a":1,"a":2', b"1e999")


def damaged(choices: Choices, data: bytes) -> bytes:
    """Changed in up to eight places."""
    out = bytearray(data)
    for _ in range(choices.randint(1, 8)):
        _damage(choices, out)
    return bytes(out)


def _damage(choices: Choices, out: bytearray) -> None:
    at = choices.randint(0, len(out))
    size = length(choices, 4096)
    way = choices.randrange(9)
    if way == 0 and out:
        at %= len(out)
        out[at] ^= 1 << choices.randrange(8)
    elif way == 1:
        out[at : at + size] = b""
    elif way == 2:
        out[at:at] = choices.randbytes(size)
    elif way == 3:
        out[at : at + size] = bytes(len(out[at : at + size]))
    elif way == 4:
        source = choices.randint(0, len(out))
        out[at:at] = out[source : source + size]
    elif way == 5:
        del out[at:]
    elif way == 6:
        number = choices.choice(_NUMBERS)
        out[at : at + len(number)] = number
    elif way == 7:
        source = choices.randint(0, len(out))
        out[at : at + size] = out[source : source + size]
    else:
        out.extend(choices.choice((b"\0", b"\xff", choices.randbytes(1))) * size)


def damaged_tar(choices: Choices, data: bytes) -> bytes:
    """Changed by whole blocks, or inside headers whose sums are made right again: what is damaged otherwise goes no further than
    the sum."""
    out = bytearray(data)
    for _ in range(choices.randint(1, 6)):
        blocks = len(out) // 512
        if not blocks:
            break
        at = 512 * choices.randrange(blocks)
        if chance(choices, 3):
            size = 512 * choices.randint(1, 8)
            source = 512 * choices.randrange(blocks)
            out[at : at + (0 if chance(choices, 2) else size)] = out[source : source + size] if chance(choices, 2) else b""
            continue
        headers = [place for place in range(0, 512 * blocks, 512) if out[place + 257 : place + 262] == b"ustar"]
        if not headers:
            break
        at = choices.choice(headers)
        _damage_header(choices, out, at)
        block = out[at : at + 512]
        block[148:156] = b"        "
        if len(block) == 512:
            out[at + 148 : at + 156] = b"%06o\0 " % sum(block)
    return bytes(out)


def _damage_header(choices: Choices, out: bytearray, at: int) -> None:
    way = choices.randrange(4)
    if way == 0:
        place, width = choices.choice(((100, 8), (108, 8), (116, 8), (124, 12), (136, 12), (329, 8), (337, 8)))
        out[at + place : at + place + width] = choices.choice(_NUMBERS)[:width].ljust(width, b"\0")
    elif way == 1:
        out[at + 156 : at + 157] = choices.choice(
            (b"0", b"\0", b"1", b"2", b"3", b"5", b"6", b"7", b"g", b"x", b"L", b"K", b"S", b"D", b"?")
        )
    elif way == 2:
        name = choices.choice(
            (b"", b".", b"..", b"/", b"../../x", b"a/../..", b".wh.", b".wh..wh..opq", b".wh..", b"\xff", b"a//b/", b".wh.a/b")
        )
        out[at : at + 100] = name.ljust(100, b"\0")
    else:
        place = at + choices.randrange(512)
        out[place : place + 1] = choices.randbytes(1)


def damaged_json(choices: Choices, data: bytes) -> bytes:
    """Another document, or none."""
    if chance(choices, 4):
        out = bytearray(data)
        at = choices.randint(0, len(out))
        out[at : at + choices.randint(0, 3)] = choices.choice(_ESCAPES)
        return bytes(out) if chance(choices, 2) else damaged(choices, data)
    document = json.loads(data)
    for _ in range(choices.randint(1, 4)):
        document = _changed(choices, document)
    return json.dumps(document).encode("utf-8", "surrogatepass")


def _changed(choices: Choices, value: Any) -> Any:
    """With another value somewhere in it."""
    if isinstance(value, dict) and value and not chance(choices, 5):
        key = choices.choice(list(value))
        way = choices.randrange(8)
        if way == 0:
            return {name: item for name, item in value.items() if name != key}
        if way == 1:
            return {**value, choices.choice(_KEYS): choices.choice(_VALUES)}
        if way == 2:
            return {**{name: item for name, item in value.items() if name != key}, choices.choice(_KEYS): value[key]}
        return {**value, key: _changed(choices, value[key])}
    if isinstance(value, list) and value and not chance(choices, 5):
        at = choices.randrange(len(value))
        way = choices.randrange(5)
        if way == 0:
            return value[:at] + value[at + 1 :]
        if way == 1:
            return value * choices.randint(2, 3)
        return [*value[:at], _changed(choices, value[at]), *value[at + 1 :]]
    return choices.choice(_VALUES)
