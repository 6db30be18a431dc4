"""Go's binaries: made here, and such as Go's own linker made."""

import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerkit.packages import GoModule, GoReader, Owners
from tests.packages.roots import named, no_links, owners_of, read_root

MODULES = (
    "path\tgithub.com/acme/tool/cmd/tool\nmod\tgithub.com/acme/tool\tv1.4.2\th1:abc=\ndep\tgolang.org/x/sys\tv0.1.0\th1:d=\n"
)


def text_of(text: bytes) -> bytes:
    length, encoded = len(text), b""
    while length > 127:
        encoded += bytes([length & 127 | 128])
        length >>= 7
    return encoded + bytes([length]) + text


def blob(modules: str = MODULES, mark: bytes = b"\x08\x02") -> bytes:
    framed = (
        b"0w\xaf\x0c\x92t\x08\x02A\xe1\xc1\x07\xe6\xd6\x18\xe6"
        + modules.encode()
        + b"\xf92C1\x86\x18 r\x00\x82B\x10A\x16\xd8\xf2"
    )
    return b"\xff Go buildinf:" + mark + bytes(16) + text_of(b"go1.21.0") + text_of(framed)


def elf(data: bytes, *, before: int = 5000, wide: bool = True, order: str = "<") -> bytes:
    """Code, then a writable segment with `data` in it."""
    begin = 4096 + before
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1 if order == "<" else 2, 1]) + bytes(9)
    if wide:
        head = ident + struct.pack(order + "HHIQQQIHHHHHH", 2, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
        head += struct.pack(order + "IIQQQQQQ", 1, 5, 0, 0, 0, begin, begin, 4096)
        head += struct.pack(order + "IIQQQQQQ", 1, 6, begin, 0, 0, len(data), len(data), 4096)
    else:
        head = ident + struct.pack(order + "HHIIIIIHHHHHH", 2, 3, 1, 0, 52, 0, 0, 52, 32, 2, 0, 0, 0)
        head += struct.pack(order + "IIIIIIII", 1, 0, 0, 0, begin, begin, 5, 4096)
        head += struct.pack(order + "IIIIIIII", 1, begin, 0, 0, len(data), len(data), 6, 4096)
    return head + bytes(begin - len(head)) + data + bytes(100)


def read(file: bytes, *sizes: int) -> GoModule | None:
    """In chunks of these sizes, and then the rest."""
    reader, at = GoReader(), 0
    for size in (*sizes, len(file)):
        reader.update(memoryview(file)[at : at + size])
        at += size
    reader.close()
    return reader.module


TOOL = GoModule("github.com/acme/tool", "v1.4.2")


@pytest.mark.parametrize(
    ("wide", "order", "mark"),
    [(True, "<", b"\x08\x02"), (True, ">", b"\x08\x03"), (False, "<", b"\x04\x02"), (False, ">", b"\x04\x03")],
)
def test_the_main_module(wide: bool, order: str, mark: bytes) -> None:
    assert read(elf(bytes(700) + blob(mark=mark), wide=wide, order=order)) == TOOL


@given(st.lists(st.integers(0, 3000), max_size=12), st.integers(0, 9000))
def test_chunks_may_end_anywhere(sizes: list[int], before: int) -> None:
    assert read(elf(bytes(30) + blob(), before=before), *sizes) == TOOL


def test_byte_by_byte() -> None:
    file = elf(blob())
    assert read(file, *[1] * len(file)) == TOOL


def test_what_isnt_built_of_a_module() -> None:
    assert read(elf(blob("path\tcmd/gofmt\nbuild\tCGO_ENABLED=0\n"))) == GoModule("cmd/gofmt", "")
    assert read(elf(blob(""))) is None
    assert read(elf(b"nothing of Go")) is None
    assert read(b"#!/bin/sh\n" + blob()) is None
    assert read(b"") is None
    assert read(b"\x7fEL") is None


def test_a_blob_among_code_isnt_looked_at() -> None:
    """A program that reads binaries of Go may hold the mark as text."""
    file = bytearray(elf(bytes(300)))
    file[4200 : 4200 + len(blob())] = blob()
    assert read(bytes(file)) is None


def test_a_reader_says_when_it_has_seen_enough() -> None:
    reader = GoReader()
    reader.update(b"#!/bin/sh")
    assert reader.done
    reader = GoReader()
    reader.update(elf(bytes(10)))
    assert reader.done


@given(st.binary(max_size=300), st.binary(max_size=300), st.integers(0, 400))
def test_anything_can_be_read(head: bytes, data: bytes, cut: int) -> None:
    read(b"\x7fELF" + head)
    read(elf(b"\xff Go buildinf:\x08\x02" + data))
    read(elf(blob())[:cut])


def test_a_binary_belongs_to_what_installed_it() -> None:
    go = {b"usr/bin/tool": TOOL, b"opt/tool": TOOL}
    files = {
        b"var/lib/dpkg/status": b"Package: tool\nVersion: 1\n",
        b"var/lib/dpkg/info/tool.list": b"/usr/bin/tool\n",
    }
    owners = Owners(files, no_links, go)
    assert named(owners, "usr/bin/tool") == "deb tool 1"
    assert named(owners, "opt/tool") == "go github.com/acme/tool v1.4.2"
    assert [package.path for package in owners.packages] == [b"var/lib/dpkg/status", b"opt/tool"]
    assert named(owners_of({}), "opt/tool") is None


@pytest.mark.real
@pytest.mark.skipif(shutil.which("go") is None, reason="go is not installed (Debian: apt install golang-go)")
@pytest.mark.parametrize("flags", [[], ["-ldflags=-s -w"], ["-buildmode=pie"]])
def test_what_go_built(tmp_path: Path, flags: list[str]) -> None:
    (tmp_path / "go.mod").write_text("module example.com/acme/tool\n\ngo 1.18\n")
    (tmp_path / "main.go").write_text('package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("hello") }\n')
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "GOFLAGS": "-mod=mod", "GOPROXY": "off"}
    build = ["go", "build", *flags, "-o", "root/tool", "."]
    subprocess.run(build, cwd=tmp_path, check=True, capture_output=True, timeout=300, env=environment)
    told = subprocess.run(
        ["go", "version", "-m", "root/tool"], cwd=tmp_path, check=True, capture_output=True, env=environment
    ).stdout
    (module,) = (line.split("\t")[2:4] for line in told.decode().splitlines() if line.startswith("\tmod\t"))
    assert read_root(tmp_path / "root", go=True).go == {b"tool": GoModule(*module)}
