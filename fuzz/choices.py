"""Randomness, from a seed or from bytes that a coverage-guided fuzzer changes."""

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

Choices = random.Random


class BytesChoices(random.Random):
    """What is drawn follows from `data`; when that is used up, from nothing but its length, so that small inputs stay small
    changes of each other."""

    def __new__(cls, data: bytes) -> "BytesChoices":
        return super().__new__(cls)  # which would hash the data for a seed

    def __init__(self, data: bytes) -> None:
        super().__init__(len(data))
        self._data = data
        self._at = 0

    def getrandbits(self, k: int, /) -> int:
        size = -(-k // 8)
        if size > 64 or self._at + size > len(self._data):  # contents of files aren't the fuzzer's to find
            return super().getrandbits(k)
        self._at += size
        return int.from_bytes(self._data[self._at - size : self._at], "little") >> (8 * size - k)

    def random(self) -> float:
        return self.getrandbits(16) / 65536


def some(choices: Choices, values: Sequence[T], most: int) -> list[T]:
    """Up to `most` of the values, some twice."""
    return [choices.choice(values) for _ in range(choices.randint(0, most))] if values else []


def chance(choices: Choices, one_in: int) -> bool:
    return choices.randrange(one_in) == 0


def length(choices: Choices, most: int) -> int:
    """Up to `most`, small ones as likely as large ones."""
    return min(choices.randint(0, 1 << choices.randint(0, most.bit_length())), most)
