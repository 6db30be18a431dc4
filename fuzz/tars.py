"""Layers as no tar program would write them, and which image-spec layer.md still allows; most of them at least."""

from fuzz.choices import Choices, chance, length
from tests import tar_building as tar

_PLACES = (
    "",
    "",
    "./",
    "/",
    "usr/",
    "usr/lib/",
    "opt/conda/pkgs/",
    "a/b/c/d/e/f/g/",
    "../",
    "usr//lib/./",
    "site-packages/",
    "lib/",
)
_NAMES = ("a", "b", "numpy", "numpy.libs", "x" * 120, "é", "a b", ".hidden", "-", "\\", "file.so.1", "z" * 300)

_LARGE = 1 << 20


def layer(choices: Choices, budget: int, *, tame: bool = False) -> bytes:
    """About `budget` bytes. `tame`: without what engines differ on."""
    runs: list[bytes] = []
    maker = _Maker(choices, tame, budget)
    size = 0
    while size < budget and len(runs) < 3000:
        run = maker.run(budget - size)
        runs.append(run)
        size += len(run)
    runs += maker.late()
    return b"".join(runs) + _end(choices)


def _end(choices: Choices) -> bytes:
    """Two blocks of zeros; one; any number; and what is behind them."""
    if not chance(choices, 3):
        return tar.END
    blocks = choices.choice((1, 2, 3, 20, 2000))
    return bytes(512 * blocks) + (choices.randbytes(length(choices, 5000)) if chance(choices, 4) else b"")


class _Maker:
    def __init__(self, choices: Choices, tame: bool, budget: int) -> None:
        self._choices = choices
        self._tame = tame
        self._files: list[str] = []
        self._directories: list[str] = []
        self._number = 0
        self._mean = choices.choice((0, 100, 3000, 40_000, 300_000) if budget < 4 << 20 else (3000, 40_000, 300_000, 2_000_000))
        """Bytes of a file, about."""
        self._content = choices.randrange(4)

    def run(self, most: int) -> bytes:
        choices = self._choices
        way = choices.randrange(40)
        if way < 22:
            return self._file(most)
        if way < 28:
            return self._directory()
        if way < 31 and self._files:
            return tar.hard_link(self._new(), choices.choice(self._files), **self._attributes())
        if way < 33:
            return tar.symlink(self._new(), choices.choice(("a", "/usr/lib", "..", *self._directories[-3:])))
        if way == 33:
            return tar.char_device(self._new(), 1, choices.randrange(300))
        if way == 34:
            return tar.fifo(self._new())
        if way == 35:
            return tar.gnu_sparse(self._new(), [(0, choices.randbytes(512)), (1 << 20, b"x" * 512)], (1 << 20) + 512)
        if way == 36:
            return tar.global_header({"comment": "x" * length(choices, 2000)})
        if self._tame:
            return self._file(most)
        return self._hazard()

    def late(self) -> list[bytes]:
        """Hard links to files that went by long ago."""
        choices = self._choices
        if not self._files or not chance(choices, 3):
            return []
        return [tar.hard_link(self._new(), choices.choice(self._files)) for _ in range(length(choices, 60))]

    def _hazard(self) -> bytes:
        choices = self._choices
        way = choices.randrange(9)
        known = choices.choice([*self._files, *self._directories, "a"]).rstrip("/") or "a"
        if way == 0:
            return tar.whiteout(known.lstrip("./") or "a")
        if way == 1:
            return tar.opaque(choices.choice(("", "usr", "usr/lib", known.lstrip("./"))))
        if way == 2:
            return tar.file(known, b"again" * length(choices, 100))
        if way == 3:
            return tar.directory(known)
        if way == 4:
            return tar.symlink(known, choices.choice(("usr", "a", "../..", "/", known)))
        if way == 5:
            return tar.hard_link(known, choices.choice((known, "missing", *self._files[-2:])))
        if way == 6:
            marks = {choices.choice(("trusted", "user")) + ".overlay.opaque": "y", "user.fuseoverlayfs.opaque": "y"}
            return tar.directory(known, xattrs=marks)
        if way == 7:
            return tar.file(known + "/below", b"x")
        return tar.file(".wh..wh.plnk/1" if chance(choices, 2) else ".wh." + "y" * 200)

    def _file(self, most: int) -> bytes:
        choices = self._choices
        size = min(length(choices, _LARGE), most) if chance(choices, 8) else choices.randint(0, 2 * self._mean)
        name = self._new()
        self._files.append(name)
        return tar.file(name, self._data(min(size, max(most, 0))), **self._attributes())

    def _data(self, size: int) -> bytes:
        choices = self._choices
        way = choices.choice((self._content, choices.randrange(4)))
        if way == 0:
            return choices.randbytes(size)
        if way == 1:
            return bytes(size)
        if way == 2:
            return (
                (choices.randbytes(choices.choice((1, 7, 100, 3000))) * (size // 1 + 1))[:size]
                if size < 4096
                else self._text(size)
            )
        return self._text(size)

    def _text(self, size: int) -> bytes:
        words = [self._choices.randbytes(self._choices.randint(2, 9)) for _ in range(200)]
        return b" ".join(self._choices.choices(words, k=size // 6 + 1))[:size].ljust(size, b".")

    def _directory(self) -> bytes:
        name = self._new()
        self._directories.append(name)
        return tar.directory(name, **self._attributes())

    def _new(self) -> str:
        choices = self._choices
        self._number += 1
        above = [*self._directories[-5:], *_PLACES]
        place = choices.choice([place for place in above if not (self._tame and place.startswith(("..", "/", "usr//")))])
        place = place + "/" if place and not place.endswith("/") else place
        return f"{place}{choices.choice(_NAMES)}{self._number}"

    def _attributes(self) -> dict[str, object]:
        choices = self._choices
        found: dict[str, object] = {}
        if chance(choices, 6):
            found["mode"], found["uid"] = choices.randrange(0o10000), choices.choice((0, 7, 65534, 1 << 21, 1 << 31))
        if chance(choices, 12):
            found["xattrs"] = {"user.x": "v" * length(choices, 70_000), "security.capability": "\0\x01"}
        if chance(choices, 12):
            found["pax"] = {"mtime": "1700000000.123456789", "atime": "5", "LIBARCHIVE.creationtime": "1"}
        if chance(choices, 12):
            found["gnu"] = True
        return found
