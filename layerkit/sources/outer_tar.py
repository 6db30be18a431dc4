"""The tar around an image, read in one pass over its headers: which file is at which bytes.

Entry names come as `./a`, `a`, `/a` and `a/`: one path. Layers may be symlinks or hard links to other members (older
`docker save`, skopeo, podman). Data is skipped, so 10 GB cost a few reads.
"""

import posixpath
from typing import NamedTuple

from layerkit.errors import DamagedError
from layerkit.image.blob import FileRange, InputFile
from layerkit.sources.folder import MAX_LINKS
from layerkit.tar.framing import Member, members_of
from layerkit.tar.header import BLOCK, Kind, parse_header

MAX_MEMBERS = 500_000
"""Files in the tar around an image: 200 MB of index. A layout of 20,000 images has 100,000."""

MAX_NAMES = 64 << 20
"""Bytes of their names and links together; 130 for each of MAX_MEMBERS."""


class _Entry(NamedTuple):
    """What is kept of a member."""

    kind: Kind
    data: int
    """Offset in the tar."""
    size: int
    link: str
    is_sparse: bool


class OuterTar:
    """A `Folder` inside a tar. Raises DamagedError, naming the offset, for a damaged or truncated one."""

    def __init__(self, file: InputFile) -> None:
        self.name = file.name
        self._file = file
        self._members: dict[str, _Entry] = {}
        names = 0
        for number, member in enumerate(members_of(file, file.name), 1):
            names += len(member.name) + len(member.link)
            if number > MAX_MEMBERS or names > MAX_NAMES:
                most = f"an image of at most {MAX_MEMBERS:,} files, with names of {MAX_NAMES:,} bytes together"
                raise DamagedError.mismatch(file.name, expected=most, found="more")
            if member.kind is not Kind.GLOBAL:
                link = member.link.decode("utf-8", "surrogateescape")
                entry = _Entry(member.kind, member.data, member.size, link, _is_sparse(member))
                self._members[self._path_of(member)] = entry  # of a name that comes twice, tar's last one counts
        self._members.pop("", None)

    def find(self, path: str) -> FileRange | None:
        member = self._resolve(path)
        if member is None or member.kind is Kind.DIRECTORY:
            return None
        if member.kind is not Kind.FILE or member.is_sparse:
            what = member.kind.value if member.kind is not Kind.FILE else "sparse file"
            raise DamagedError.mismatch(f"{self.name}: {path}", expected="a file", found=f"a {what}", why="pack it again")
        return FileRange(self._file, member.data, member.size)

    def children(self, path: str) -> list[str]:
        prefix = f"{path}/" if path else ""
        return sorted({name[len(prefix) :].partition("/")[0] for name in self._members if name.startswith(prefix)})

    def _path_of(self, member: Member) -> str:
        name = member.name.decode("utf-8", "surrogateescape")
        if ".." in name.split("/"):
            raise DamagedError.mismatch(
                f"{self.name}: offset {member.start:,}", expected="member names inside the archive", found=repr(name)
            )
        return posixpath.normpath("/" + name).lstrip("/")

    def _resolve(self, path: str) -> _Entry | None:
        """The member behind `path`, which may be a link or be below one."""
        seen = path
        for _ in range(MAX_LINKS):
            link = self._first_link(path)
            if link is None:
                return self._members.get(path)
            at, member = link
            base = posixpath.dirname(at) if member.kind is Kind.SYMLINK else ""
            joined = posixpath.normpath(posixpath.join("/", base, member.link))  # what climbs out of the top stays at the top
            path = posixpath.normpath(joined + path[len(at) :]).lstrip("/")
        raise DamagedError.mismatch(
            f"{self.name}: {seen}", expected=f"a file, after at most {MAX_LINKS} links", found="links that lead in a circle"
        )

    def _first_link(self, path: str) -> tuple[str, _Entry] | None:
        """The first part of `path`, from the top, that is a link."""
        end = path.find("/")
        while True:
            at = path if end < 0 else path[:end]
            member = self._members.get(at)
            if member is not None and member.kind in (Kind.SYMLINK, Kind.HARD_LINK):
                return at, member
            if end < 0:
                return None
            end = path.find("/", end + 1)


def _is_sparse(member: Member) -> bool:
    """GNU tar's -S leaves holes out of the data: pax records tell, or the old type S of the header itself."""
    if any(key.startswith(b"GNU.sparse.") for key in member.pax):
        return True
    at = 0
    while (header := parse_header(member.head[at : at + BLOCK])).flag in (b"x", b"X", b"L", b"K"):
        at += BLOCK + -(-header.size // BLOCK) * BLOCK
    return header.flag == b"S"
