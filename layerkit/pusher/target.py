"""Where blobs go, and what is counted on the way."""

import threading
from dataclasses import dataclass
from enum import Enum

from layerkit.image.blob import Blob
from layerkit.progress import Progress
from layerkit.pusher.host import Host
from layerkit.registry.authorisation import Scope
from layerkit.registry.client import RegistryClient
from layerkit.state import State


class Outcome(Enum):
    """What became of a blob."""

    SENT = "sent"
    THERE = "already there"
    MOUNTED = "mounted"


@dataclass
class Traffic:
    """Bytes handed to the network as blobs' bodies, those sent twice included."""

    sent: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        with self._lock:
            self.sent += count


@dataclass(frozen=True)
class Target:
    """Where blobs go, and how."""

    client: RegistryClient
    repository: str
    host: Host
    commit_seconds: float
    """How long a commit may take at the registry after the edge gave up on it."""
    mount_from: tuple[str, ...]
    progress: Progress
    traffic: Traffic
    state: State
    """Where uploads under way are remembered."""

    @property
    def scope(self) -> Scope:
        return Scope(self.repository, "pull,push", self.mount_from)

    def holds(self, blob: Blob) -> bool | None:
        """Is the blob there? None: the registry doesn't say."""
        return self.client.has_blob(self.repository, blob.digest, blob.size, self.scope)
