"""What all pushes to one registry share: its client, its rules, the threads that ask and send, and where blobs are.

Blobs take two steps, each on its own threads: looked for (a HEAD or a link, many at a time), then sent (a few at a time: an
upload fills the line). However many images are pushed, there is one such number for the registry.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Self

from layerkit.image.digest import Digest
from layerkit.image.reference import Reference
from layerkit.profiles import Profile
from layerkit.progress import SILENT, Progress
from layerkit.pusher.host import SMALLEST_BODY, Host
from layerkit.pusher.rules import first_rules
from layerkit.pusher.target import Target, Traffic
from layerkit.pusher.whereabouts import Whereabouts
from layerkit.registry.authorisation import Scope
from layerkit.registry.client import RegistryClient
from layerkit.state import NOTHING_REMEMBERED, State

_LOOKUPS = 8
"""Requests at a time that carry nothing: they cost the registry next to nothing, and a round trip each."""


class Pool:
    """Its client is its own: closing ends the client's requests."""

    def __init__(
        self,
        client: RegistryClient,
        profile: Profile,
        *,
        jobs: int | None = None,
        chunk_size: int | None = None,
        smallest_chunk: int = SMALLEST_BODY,
        state: State = NOTHING_REMEMBERED,
        whereabouts: Whereabouts | None = None,
        progress: Progress = SILENT,
    ) -> None:
        """`jobs`: uploads at a time; `chunk_size`: bytes of one request; both by the profile unless given.
        `smallest_chunk`: bytes below which requests aren't made smaller when the edge refuses them. `state`: what earlier runs
        learned of the registry, and where they left uploads."""
        self.client = client
        self.host = Host(client.registry, first_rules(profile.upload, chunk_size), state, smallest_chunk, progress.note)
        self.whereabouts = whereabouts or Whereabouts()
        self._commit_seconds = profile.commit_seconds
        self._state = state
        self._lookups = ThreadPoolExecutor(_LOOKUPS, "layerkit-lookup")
        self._uploads = ThreadPoolExecutor(jobs or profile.parallel, "layerkit-upload")

    def target(self, reference: Reference, mount_from: tuple[str, ...], progress: Progress) -> Target:
        """Where the blobs of one image go. `mount_from`: other repositories where they may be already."""
        others = tuple(repository for repository in mount_from if repository != reference.repository)
        traffic = Traffic()
        return Target(self.client, reference.repository, self.host, self._commit_seconds, others, progress, traffic, self._state)

    def tag_digest(self, reference: Reference) -> Digest | None:
        """What the tag holds; None: nothing, or nothing that one may see. Raises UnreachableError."""
        return self.client.tag_digest(reference.repository, reference.tag, Scope(reference.repository, "pull,push"))

    def look(self, work: Callable[[], None]) -> None:
        """Has it done by a thread that asks. Raises RuntimeError when the pool is closed."""
        self._lookups.submit(work)

    def send(self, work: Callable[[], None]) -> None:
        """The same, by one that sends."""
        self._uploads.submit(work)

    def interrupt(self) -> None:
        """Ends all requests, now and later."""
        self.client.interrupt()

    def close(self) -> None:
        """Ends running uploads at once. Blobs that are complete stay: the next push finds them."""
        self.client.interrupt()
        self._lookups.shutdown(wait=True, cancel_futures=True)
        self._uploads.shutdown(wait=True, cancel_futures=True)
        self.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
