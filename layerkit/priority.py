"""Which threads the system runs first when there are more than cores."""

import os
import sys

_NICE = 10
"""A tenth of the share of an ordinary thread (sched(7))."""


def give_way() -> None:
    """From here on, this thread runs when a core has nothing better to do. Only one thread can inflate a layer, and everything
    waits for it; digests, proofs and copies of what is done can be made at any time. On Linux, where niceness is a thread's own;
    elsewhere it would slow the whole process."""
    if sys.platform == "linux":
        os.nice(_NICE)
