"""Where blobs are in one registry, and who is sending one: so that what several images share is sent once.

In: who wants which blob in which repository. Out: a claim: it is there, it may be linked from another repository, or it is the
claimer's to send. Who comes while another is at it waits, without a thread, and claims again when that has ended. Nothing is
asked of the registry here.
"""

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from layerkit.image.digest import Digest

_REFUSALS = 3
"""Links that a registry refuses, before it has made one, after which none is asked for."""


@dataclass(frozen=True)
class Claim:
    """What is to be done about one blob in one repository. To be settled, whatever comes of it, unless `is_there`."""

    digest: Digest
    repository: str
    is_there: bool = False
    """It was put there, or seen there, in this run."""
    origin: str | None = None
    """Another repository that has it; None: not known of any."""
    keys: tuple[Hashable, ...] = ()


class Whereabouts:
    """Thread-safe."""

    def __init__(
        self,
        remembered: Callable[[Digest], str | None] = lambda digest: None,
        tell: Callable[[str, Digest], None] = lambda repository, digest: None,
    ) -> None:
        """`remembered`: the repository where an earlier run left a blob; `tell` is told where one is now, the first time."""
        self._remembered = remembered
        self._tell = tell
        self._lock = threading.Lock()
        self._places: dict[Digest, dict[str, None]] = {}
        self._gone: set[Digest] = set()
        """Blobs that aren't where an earlier run left them."""
        self._unlinkable: set[Digest] = set()
        self._links = 0
        """Made; below zero: refused so far."""
        self._waiting: dict[Hashable, list[Callable[[], None]]] = {}
        """What is under way, and who waits for its end."""

    def claim(self, digest: Digest, repository: str, again: Callable[[], None]) -> Claim | None:
        """None: somebody else is at it, and `again` is called when that has ended, from another thread."""
        with self._lock:
            there = self._places.get(digest, {})
            if repository in there:
                return Claim(digest, repository, is_there=True)
            links = self._links > -_REFUSALS and digest not in self._unlinkable
            origin = self._origin(digest, repository) if links else None
            keys: list[Hashable] = [(digest, repository)]
            if links and origin is None:
                keys.append(digest)  # whoever sends it first sends it for all
            busy = next((key for key in keys if key in self._waiting), None)
            if busy is not None:
                self._waiting[busy].append(again)
                return None
            self._waiting.update((key, []) for key in keys)
            return Claim(digest, repository, origin=origin, keys=tuple(keys))

    def settle(self, claim: Claim, *, is_there: bool) -> None:
        if is_there:
            self.put(claim.digest, claim.repository)
        with self._lock:
            waiting = [again for key in claim.keys for again in self._waiting.pop(key, ())]
        for again in waiting:
            again()

    def linked(self) -> None:
        """The registry has linked a blob from another repository."""
        with self._lock:
            self._links = max(self._links, 0) + 1

    def not_linked(self, claim: Claim) -> None:
        """It didn't, where `claim.origin` was to be it. The claim is still to be settled."""
        with self._lock:
            if claim.origin in self._places.get(claim.digest, {}):
                self._unlinkable.add(claim.digest)
                if self._links <= 0:
                    self._links -= 1
            else:
                self._gone.add(claim.digest)

    def put(self, digest: Digest, repository: str) -> None:
        """The blob is there."""
        with self._lock:
            is_first = digest not in self._places
            self._places.setdefault(digest, {})[repository] = None
        if is_first:
            self._tell(repository, digest)

    def lost(self, digest: Digest, repository: str) -> None:
        """It isn't there after all."""
        with self._lock:
            self._places.get(digest, {}).pop(repository, None)
            self._gone.add(digest)

    def _origin(self, digest: Digest, repository: str) -> str | None:
        for place in self._places.get(digest, ()):
            return place
        left = self._remembered(digest) if digest not in self._gone else None
        return left if left != repository else None
