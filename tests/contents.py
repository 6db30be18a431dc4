"""Content that misbehaves: tests say what its chunks are."""

from collections.abc import Iterator

from layerkit.image.blob import Buffer, Content


class Stream:
    """Read from its beginning only; a subclass says what comes."""

    is_local = True

    def __init__(self, size: int) -> None:
        self.size = size

    def chunks(self, offset: int = 0) -> Iterator[Buffer]:
        raise NotImplementedError

    def section(self, start: int, end: int) -> Content:
        raise AssertionError("nobody needs a part of it")
