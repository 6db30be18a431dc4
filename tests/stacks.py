"""Random stacks of layers, with everything a layer may hold, and a small model of what they make.

A layer is a list of `Op`s, each of them one member run and what it means. `stacks()` draws only what an applier can unpack: no
entry below a file, no link to a directory. `Model` is the specification's text in a few lines, over flat dictionaries, to judge
the merged view by; it has nothing in common with it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from tests import tar_building as tar

NAMES = (b"a", b"b", b"c", b"lib", b"usr", b"n\xc3\xa9", b"\xff\xfe", b"long-" * 30)
TARGETS = (b"a", b"b", b"usr/lib", b"../a", b"/a", b"/usr/lib", b"../usr/lib", b"nowhere", b".")
SECOND = 1_000_000_000
TIMES = (0, 1, 1_700_000_000, 1_700_000_001)
MODES = (0o644, 0o755, 0o700, 0o4755, 0o2750, 0o1777, 0o0)


@dataclass(frozen=True, eq=False, repr=False)
class Op:
    """One member run."""

    kind: str
    """file, directory, symlink, link, char, block, fifo, whiteout, opaque, global."""
    path: bytes
    run: bytes
    target: bytes = b""
    data: bytes = b""
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        what = f"{self.kind} {self.path!r}"
        return f"<{what} -> {self.target!r}>" if self.target else f"<{what}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """How hypothesis shows it: without the run's bytes."""
        printer.text(repr(self))


def tar_of(ops: Iterable[Op]) -> bytes:
    return tar.layer(*(op.run for op in ops))


class ImpossibleError(Exception):
    """No applier can do that."""


class Record:
    """One inode in the model; links share the object."""

    def __init__(self, op: Op) -> None:
        self.kind = op.kind
        self.data = op.data
        self.target = op.target
        self.attributes = dict(op.attributes)


class Model:
    """What one layer's own directory holds, or what several make."""

    def __init__(self) -> None:
        self.entries: dict[bytes, Record | None] = {b"": None}
        """None: a directory that was only implied, of which nothing is known."""
        self.implied: set[bytes] = {b""}
        self.whiteouts: set[bytes] = set()
        self.opaques: set[bytes] = set()

    def is_directory(self, path: bytes) -> bool:
        record = self.entries.get(path, ImpossibleError)
        return record is None or (isinstance(record, Record) and record.kind == "directory")

    def real_parent(self, path: bytes, *, make: bool) -> bytes:
        """Where the parent of `path` is, symlinks followed; missing directories are made. Raises ImpossibleError."""
        todo = path.split(b"/")[:-1]
        here = b""
        followed = 0
        while todo:
            name = todo.pop(0)
            if name in (b"", b"."):
                continue
            if name == b"..":
                here = here.rpartition(b"/")[0]
                continue
            place = here + b"/" + name if here else name
            record = self.entries.get(place, ImpossibleError)
            if isinstance(record, Record) and record.kind == "symlink":
                followed += 1
                if followed > 20:
                    raise ImpossibleError("a loop")
                here = b"" if record.target.startswith(b"/") else here
                todo = record.target.split(b"/") + todo
                continue
            if record is ImpossibleError:
                if not make:
                    raise ImpossibleError("nothing there")
                self.entries[place] = None
                self.implied.add(place)
            elif not self.is_directory(place):
                raise ImpossibleError("a file on the way")
            here = place
        return here

    def remove(self, path: bytes, *, below_only: bool = False) -> None:
        for name in list(self.entries):
            if (name.startswith(path + b"/" if path else b"") and name != path) or (name == path and not below_only):
                del self.entries[name]
                self.implied.discard(name)

    def apply(self, op: Op) -> None:
        """One member of a layer, in the layer's own directory. Raises ImpossibleError."""
        if op.kind == "global":
            return
        parent = self.real_parent(op.path + b"/x" if op.kind == "opaque" else op.path, make=True)
        if op.kind == "opaque":
            self.opaques.add(parent)
            return
        name = op.path.rpartition(b"/")[2]
        path = parent + b"/" + name if parent else name
        if op.kind == "whiteout":
            self.whiteouts.add(path)
            return
        if op.kind == "link":
            target = self.real_parent(op.target, make=False)
            leaf = op.target.rpartition(b"/")[2]
            place = target + b"/" + leaf if target else leaf
            if place == path or place.startswith(path + b"/"):
                raise ImpossibleError("a link that removes its target")
            record = self.entries.get(place)
            if record is None or record.kind == "directory":
                raise ImpossibleError("no such file")
            self.remove(path)
            record.attributes = {**op.attributes, "xattrs": {**record.attributes["xattrs"], **op.attributes["xattrs"]}}
            if record.kind == "symlink":
                raise ImpossibleError("links to symlinks have tests of their own")
            self.entries[path] = record
            return
        if op.kind != "directory" or not self.is_directory(path):
            self.remove(path)
        self.entries[path] = Record(op)
        self.implied.discard(path)

    def under(self, upper: "Model") -> "Model":
        """What is seen with `upper` on top of this."""
        seen = Model()
        seen.entries = dict(self.entries)
        seen.implied = set(self.implied)
        for directory in upper.opaques:
            seen.remove(directory, below_only=True)
        for path in upper.whiteouts:
            seen.remove(path)
        for path in sorted(upper.entries, key=lambda name: name.count(b"/") + bool(name)):
            record = upper.entries[path]
            if upper.is_directory(path) and seen.is_directory(path):
                seen.implied.discard(path)
                if path in upper.implied:
                    seen.implied.add(path)
                else:
                    seen.entries[path] = record
                continue
            if path in seen.entries:
                seen.remove(path)
            seen.entries[path] = record
            if path in upper.implied:
                seen.implied.add(path)
        return seen


def model_of(layers: Iterable[Iterable[Op]]) -> Model:
    whole = Model()
    for ops in layers:
        layer = Model()
        for op in ops:
            layer.apply(op)
        whole = whole.under(layer)
    return whole


paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(b"/".join)
spellings = st.sampled_from((b"", b"./", b"/"))


@st.composite
def attributes(draw: st.DrawFn) -> dict[str, Any]:
    xattrs = draw(st.sampled_from(({}, {}, {}, {b"user.a": b"1"}, {b"user.a": b"\0\xff", b"user.b": b""})))
    return {
        "mode": draw(st.sampled_from(MODES)),
        "uid": draw(st.sampled_from((0, 0, 1000, 1 << 22))),
        "gid": draw(st.sampled_from((0, 0, 50))),
        "mtime": draw(st.sampled_from(TIMES)) * SECOND,
        "xattrs": xattrs,
    }


@st.composite
def ops(draw: st.DrawFn, *, kinds: tuple[str, ...]) -> Op:
    """Any member, meaningful or not."""
    kind = draw(st.sampled_from(kinds))
    path = draw(paths)
    shown = draw(spellings) + path
    given = draw(attributes())
    pax: dict[tar.Text, tar.Text] = {}
    if draw(st.integers(0, 5)) == 0:
        pax["mtime"] = f"{given['mtime'] // SECOND}.25"
        given = {**given, "mtime": given["mtime"] + SECOND // 4}
    whole = {**given, "mtime": given["mtime"] // SECOND, "pax": pax, "gnu": draw(st.booleans())}
    if kind == "file":
        data = draw(st.binary(max_size=20)) * draw(st.sampled_from((1, 1, 100)))
        return Op("file", path, tar.file(shown, data, **whole), data=data, attributes=given)
    if kind == "directory":
        return Op("directory", path, tar.directory(shown, **whole), attributes=given)
    if kind == "symlink":
        target = draw(st.sampled_from(TARGETS))
        return Op("symlink", path, tar.symlink(shown, target, **whole), target=target, attributes=given)
    if kind == "link":
        target = draw(paths)
        return Op("link", path, tar.hard_link(shown, draw(spellings) + target, **whole), target=target, attributes=given)
    if kind in ("char", "block"):
        device = (draw(st.integers(1, 9)), draw(st.integers(0, 300)))
        make = tar.char_device if kind == "char" else tar.block_device
        return Op(kind, path, make(shown, *device, **whole), target=b"%d:%d" % device, attributes=given)
    if kind == "fifo":
        return Op("fifo", path, tar.fifo(shown, **whole), attributes=given)
    if kind == "whiteout":
        parent, slash, name = path.rpartition(b"/")
        return Op("whiteout", path, tar.file(parent + slash + b".wh." + name))
    if kind == "opaque":
        directory = path.rpartition(b"/")[0]
        return Op("opaque", directory, tar.file((directory + b"/" if directory else b"") + b".wh..wh..opq"))
    assert kind == "global"
    return Op("global", b"", tar.global_header({"comment": draw(st.sampled_from("xyz"))}))


KINDS = (
    "file",
    "file",
    "file",
    "directory",
    "directory",
    "symlink",
    "link",
    "link",
    "char",
    "block",
    "fifo",
    "whiteout",
    "opaque",
)


@st.composite
def layers(draw: st.DrawFn, *, kinds: tuple[str, ...] = KINDS, max_size: int = 12, links: bool = True) -> list[Op]:
    """What one applier can unpack."""
    model = Model()
    kept: list[Op] = []
    for op in draw(st.lists(ops(kinds=kinds), max_size=max_size)):
        chosen = op
        if op.kind == "link" and links:
            files = sorted(path for path, record in model.entries.items() if record is not None and record.kind == "file")
            if files:
                target = draw(st.sampled_from(files))
                chosen = Op(
                    "link", op.path, tar.hard_link(op.path, target, **_plain(op)), target=target, attributes=op.attributes
                )
        before = dict(model.entries), set(model.implied)
        try:
            model.apply(chosen)
        except ImpossibleError:
            model.entries, model.implied = before
            continue
        kept.append(chosen)
    return kept


def _plain(op: Op) -> dict[str, Any]:
    seconds, fraction = divmod(op.attributes["mtime"], SECOND)
    return {**op.attributes, "mtime": seconds, "pax": {"mtime": f"{seconds}.{fraction:09d}"} if fraction else {}}


def stacks(*, kinds: tuple[str, ...] = KINDS, max_layers: int = 4, max_size: int = 12) -> st.SearchStrategy[list[list[Op]]]:
    return st.lists(layers(kinds=kinds, max_size=max_size), min_size=1, max_size=max_layers)
