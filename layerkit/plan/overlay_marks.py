"""The marks that an overlay leaves on what is in its upper directory.

Builders leave them in layers as extended attributes, and appliers set those. Some of them say of the layers below:

- `opaque` of a directory, if it is `y`: nothing of what they hold in it is shown (Linux: `trusted.overlay.`, with `userxattr`
  `user.overlay.`; fuse-overlayfs: those two and `user.fuseoverlayfs.`, and any value that begins with `y`)
- `redirect` of a directory: what they hold of another directory is shown in it
- `metacopy` of a file: its content is what they hold, at its own path or at that of a `redirect`

Where a part repeats such a directory, it would hide what the parts below it hold. And what reads on below finds what the layer's
own earlier parts hold. All other marks (`opaque=x`, `origin`, `impure`, ...) only say something of their own entry.

In: a member run without data, or a member. Out: the run without what hides, or what there is of it.
"""

from layerkit.tar.framing import Member
from layerkit.tar.header import Kind
from layerkit.tar.records import without_records

_XATTR = b"SCHILY.xattr."
_OPAQUE = tuple(_XATTR + name for name in (b"trusted.overlay.opaque", b"user.overlay.opaque", b"user.fuseoverlayfs.opaque"))
_REDIRECT = tuple(_XATTR + name for name in (b"trusted.overlay.redirect", b"user.overlay.redirect"))
_METACOPY = tuple(_XATTR + name for name in (b"trusted.overlay.metacopy", b"user.overlay.metacopy"))


def hides_below(member: Member) -> bool:
    """Does a directory's entry hide what the layers below its own hold in it?"""
    return member.kind is Kind.DIRECTORY and any(_hides(key, value) for key, value in member.pax.items())


def reads_below(member: Member) -> bool:
    """Does it show something of the layers below its own, wherever in them that is?"""
    pax = member.pax
    if member.kind is Kind.DIRECTORY:
        return any(pax.get(key) for key in _REDIRECT)
    return member.kind is Kind.FILE and any(key in pax for key in _METACOPY)


def without_marks(head: bytes) -> bytes:
    """A directory's entry without the marks that hide what is below; the very same bytes if it has none."""
    if not any(key in head for key in (*_OPAQUE, *_REDIRECT)):
        return head
    return without_records(head, _hides)


def _hides(key: bytes, value: bytes) -> bool:
    return (key in _OPAQUE and value.startswith(b"y")) or (key in _REDIRECT and bool(value))
