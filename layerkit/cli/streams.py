"""The process's three streams, however it got them.

A stream that was closed (`<&-`, `>&-`, `2>&-`) leaves its number to the next file that is opened: what is meant for people would
go into an image. So its number is taken before anything else is.
"""

import io
import os
import sys
from typing import TextIO


def take_streams() -> bool:
    """All three are something from now on. False when there is nowhere to write results to."""
    there = [_is_open(number) for number in range(3)]
    for number, is_there in enumerate(there):
        if not is_there:
            os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)  # the lowest free number is this one
    sys.stdin = sys.stdin or _text(0, "r")
    sys.stdout = sys.stdout or _text(1, "w")
    sys.stderr = sys.stderr or _text(2, "w")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name inside an image may be no text at all
    return there[1]


def drop_output() -> None:
    """Whatever is still to be written to standard output has no reader: Python would complain when it flushes at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _text(number: int, mode: str) -> TextIO:
    """For as long as the process lives."""
    return io.TextIOWrapper(io.FileIO(number, mode, closefd=False), "utf-8", "backslashreplace", write_through=True)
