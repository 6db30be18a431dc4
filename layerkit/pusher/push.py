"""The destination that is a registry.

In: blobs offered as they become ready, then the image. Out: every blob in the repository, manifests from the leaves up by digest,
the root by its tag last, read back and compared. Until then there is nothing under the tag, so a push that ends early leaves
the registry as it was, but for blobs that the next push finds there.

Blobs are looked for, linked and sent by the pool that all pushes to the registry share (`pool`).
"""

import contextlib
import threading
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass
from functools import partial
from typing import Self

from layerkit.errors import (
    BlobTooLargeError,
    BlobTooSlowError,
    InterruptedPushError,
    MissingBlobError,
    NotFoundError,
    RefusedError,
)
from layerkit.image.blob import Blob, Writing, blob_of
from layerkit.image.digest import Digest, algorithm, encoded, short
from layerkit.image.image import Image
from layerkit.image.manifest import Descriptor, Index, Manifest
from layerkit.image.media_types import is_foreign_layer
from layerkit.image.reference import Reference
from layerkit.image.referrers import Kind, referrer
from layerkit.profiles import Profile
from layerkit.progress import SILENT, Progress
from layerkit.pusher.host import SMALLEST_BODY
from layerkit.pusher.linking import link
from layerkit.pusher.pool import Pool
from layerkit.pusher.target import Outcome
from layerkit.pusher.upload import upload
from layerkit.pusher.whereabouts import Claim
from layerkit.registry.client import RegistryClient
from layerkit.state import NOTHING_REMEMBERED, State

_LOST_BLOBS_TRIES = 2
"""How often blobs are sent again that the registry said it had and then misses."""

_READ_BACK_WAITS = (0.5, 1.0, 2.0, 4.0)
"""Seconds between readings of the tag: some registries show a new manifest a moment later."""


@dataclass(frozen=True)
class Stats:
    """What a push has done so far. Bytes are those of blobs' bodies, those sent twice included."""

    bytes_sent: int
    blobs_sent: int
    blobs_there: int
    blobs_mounted: int


_COSIGN_TAGS = {Kind.SIGNATURE: "sig", Kind.ATTESTATION: "att", Kind.SBOM: "sbom"}


@dataclass(frozen=True)
class _Job:
    """A blob that is to be in the repository."""

    blob: Blob
    label: str
    future: Future[Outcome]


def _end(future: Future[Outcome], outcome: Outcome | BaseException) -> None:
    """Unless it has ended already: a push that is closed doesn't wait for what it has begun."""
    with contextlib.suppress(InvalidStateError):
        if isinstance(outcome, Outcome):
            future.set_result(outcome)
        else:
            future.set_exception(outcome)


class PooledDestination:
    """A `Destination` beside others to the same registry: leaving it ends its own work, and what it has begun to send arrives."""

    def __init__(
        self,
        pool: Pool,
        reference: Reference,
        *,
        mount_from: Sequence[str] = (),
        may_split: bool = False,
        progress: Progress = SILENT,
    ) -> None:
        """`mount_from`: other repositories of the registry, where blobs may be already. `may_split`: the caller makes blobs
        smaller that are too large; so that is said at the first sign."""
        self._pool = pool
        self._client = pool.client
        self._reference = reference
        self._progress = progress
        self._target = pool.target(reference, tuple(mount_from), progress)
        self._may_split = may_split
        self._told: set[Digest] = set()
        """Blobs that were said to be too large: when the caller comes with them again, there is nothing smaller."""
        self._outcomes: dict[Digest, Future[Outcome]] = {}
        self._lock = threading.Lock()
        self._closed = False
        self.tag_written = False
        """Has the registry been asked to write the root? From then on the push is complete, or nearly so."""

    @property
    def stats(self) -> Stats:
        with self._lock:
            done = [future.result() for future in self._outcomes.values() if future.done() and not future.exception()]
        count = {outcome: done.count(outcome) for outcome in Outcome}
        return Stats(self._target.traffic.sent, count[Outcome.SENT], count[Outcome.THERE], count[Outcome.MOUNTED])

    @property
    def sending_rate(self) -> float | None:
        """Bytes a second at which one blob has been sent lately; None: none was."""
        return self._target.host.rate

    def check(self) -> None:
        """May the user push here? Asks the registry for an upload and gives it back: better to know before an image is read.
        Raises UnauthorisedError, RefusedError, UnreachableError."""
        self._client.may_upload(self._reference.repository, self._target.scope)

    def begin(self, label: str) -> Writing | None:
        return None

    def offer(self, blob: Blob, label: str) -> None:
        self._take(blob, label)

    def finish(self, image: Image) -> Digest:
        """Also callable again after a BlobTooSlowError, with an image that has smaller blobs: what is there stays there."""
        manifests = self._manifests(image)
        beside = self._beside(image)
        self._wait({blob.digest: self._take(blob, label) for blob, label in self._blobs(image, [*manifests, *beside])})
        for descriptor, document in manifests if beside else manifests[:-1]:  # what is about the root comes after it
            self._put(image, descriptor, document, descriptor.digest)
        for descriptor, document in beside:
            self._put_referrer(image, descriptor, document)
        root, document = manifests[-1]
        name = self._reference.tag or root.digest
        self.tag_written = True
        self._put(image, root, document, name)
        self._read_back(root, document.raw, name)
        return root.digest

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing more is begun. Blobs that are complete stay: the next push finds them."""
        with self._lock:
            self._closed = True
            pending = [future for future in self._outcomes.values() if not future.done()]
        for future in pending:
            _end(future, InterruptedPushError("the push was ended"))

    # Blobs

    def _take(self, blob: Blob, label: str, *, known_absent: bool = False) -> Future[Outcome]:
        with self._lock:
            future = self._outcomes.get(blob.digest)
            if future is not None:
                return future
            if self._closed:
                raise InterruptedPushError("the push was ended")
            future = self._outcomes[blob.digest] = Future()
        job = _Job(blob, label, future)
        if known_absent:
            self._pool.whereabouts.lost(blob.digest, self._reference.repository)
            self._pool.send(partial(self._send, job, Claim(blob.digest, self._reference.repository)))
        else:
            self._look_later(job)
        return future

    def _look_later(self, job: "_Job") -> None:
        try:
            self._pool.look(partial(self._look, job))
        except RuntimeError:  # closed meanwhile
            _end(job.future, InterruptedPushError("the push was ended"))

    def _look(self, job: "_Job") -> None:
        """Is it there, can it be linked, has it to be sent? Waits for nobody: who is behind another comes again."""
        digest, repository = job.blob.digest, self._reference.repository
        if job.future.done():
            return
        claim = self._pool.whereabouts.claim(digest, repository, partial(self._look_later, job))
        if claim is None:
            return
        if claim.is_there:
            _end(job.future, Outcome.THERE)
            return
        try:
            if claim.origin is not None:
                if link(self._target, job.blob, claim.origin):
                    self._pool.whereabouts.linked()
                    self._arrived(job, claim, Outcome.MOUNTED)
                else:
                    self._pool.whereabouts.not_linked(claim)
                    self._pool.whereabouts.settle(claim, is_there=False)
                    self._look_later(job)
            elif self._target.holds(job.blob):
                self._arrived(job, claim, Outcome.THERE)
            else:
                self._pool.send(partial(self._send, job, claim))
        except BaseException as error:  # handed to whoever waits
            self._failed(job, claim, error)

    def _send(self, job: "_Job", claim: Claim) -> None:
        try:
            if job.future.done():  # ended before it began
                raise InterruptedPushError("the push was ended")
            insists = not self._may_split or job.blob.digest in self._told
            outcome = upload(self._target, job.blob, job.label, insists=insists)
        except BaseException as error:  # handed to whoever waits
            if isinstance(error, BlobTooSlowError | BlobTooLargeError):
                self._told.add(job.blob.digest)
            self._failed(job, claim, error)
        else:
            self._arrived(job, claim, outcome)

    def _arrived(self, job: "_Job", claim: Claim, outcome: Outcome) -> None:
        if outcome is not Outcome.SENT:
            self._target.state.uploaded(self._client.registry, self._reference.repository, job.blob.digest)
        self._pool.whereabouts.settle(claim, is_there=True)
        _end(job.future, outcome)

    def _failed(self, job: "_Job", claim: Claim, error: BaseException) -> None:
        _end(job.future, error)
        self._pool.whereabouts.settle(claim, is_there=False)

    def _wait(self, futures: dict[Digest, Future[Outcome]]) -> None:
        """Until all are there; the first error ends it, while the other uploads go on."""
        done = threading.Event()
        left = set(futures)
        lock = threading.Lock()

        def settled(digest: Digest, future: Future[Outcome]) -> None:
            with lock:
                left.discard(digest)
                if not left or future.exception() is not None:
                    done.set()

        for digest, future in futures.items():
            future.add_done_callback(partial(settled, digest))
        while futures and not done.wait(1.0):  # in steps: a signal's handler runs between them
            pass
        try:
            for future in futures.values():
                if future.done():
                    future.result()
        except (BlobTooSlowError, BlobTooLargeError) as error:
            error.arrived = frozenset(self._there())
            self._forget_failures()
            raise
        except BaseException:
            self._forget_failures()
            raise

    def _there(self) -> list[Digest]:
        with self._lock:
            return [digest for digest, future in self._outcomes.items() if future.done() and not future.exception()]

    def _forget_failures(self) -> None:
        """An error is told once; should the caller go on all the same, the blob is tried again."""
        with self._lock:
            failed = [digest for digest, future in self._outcomes.items() if future.done() and future.exception()]
            for digest in failed:
                del self._outcomes[digest]

    def _blobs(self, image: Image, manifests: Sequence[tuple[Descriptor, Manifest | Index]]) -> list[tuple[Blob, str]]:
        """What the manifests need, largest first: the long ones shouldn't begin last."""
        found: dict[Digest, tuple[Blob, str]] = {}
        for _, document in manifests:
            if not isinstance(document, Manifest):
                continue
            for number, layer in enumerate(document.layers, 1):
                if is_foreign_layer(layer.media_type) and not image.has(layer):
                    continue  # its bytes stay where its urls say
                found.setdefault(layer.digest, (image.blob(layer), f"layer {number} of {len(document.layers)}"))
            found.setdefault(document.config.digest, (image.blob(document.config), "config"))
        return sorted(found.values(), key=lambda item: -item[0].size)

    # Manifests

    def _manifests(self, image: Image) -> list[tuple[Descriptor, Manifest | Index]]:
        """From the leaves up, the root last. Those that are not in the image must be in the registry."""
        found: dict[Digest, tuple[Descriptor, Manifest | Index]] = {}
        for descriptor, document in image.walk():
            if document is not None:
                found[descriptor.digest] = (descriptor, document)
            elif image.has(descriptor):
                raise RefusedError(
                    f"{image.name}: {short(descriptor.digest)} ({descriptor.media_type or 'no media type'}) in the index is "
                    "neither a manifest nor an index; no registry takes that"
                )
            elif not self._registry_has_manifest(descriptor.digest):
                platform = f" for {descriptor.platform}" if descriptor.platform else ""
                raise MissingBlobError(
                    f"{image.name}: the index names a manifest{platform} that is not in the image ({descriptor.digest}); "
                    "choose the platforms that are, with --platform, or save the image with all of them"
                )
        ordered: dict[Digest, tuple[Descriptor, Manifest | Index]] = {}

        def visit(digest: Digest) -> None:
            if digest in found and digest not in ordered:
                document = found[digest][1]
                for entry in document.entries if isinstance(document, Index) else ():
                    visit(entry.digest)
                ordered[digest] = found[digest]

        visit(image.root.digest)
        return list(ordered.values())

    def _beside(self, image: Image) -> list[tuple[Descriptor, Manifest]]:
        """What stands beside the image in its layout: signatures, SBOMs."""
        found = [(descriptor, image.document(descriptor)) for descriptor in image.beside if image.has(descriptor)]
        return [(descriptor, document) for descriptor, document in found if isinstance(document, Manifest)]

    def _put_referrer(self, image: Image, descriptor: Descriptor, document: Manifest) -> None:
        """By its digest when it names its subject, which makes the registry list it; else under cosign's tag for its subject
        (sigstore/cosign, SIGNATURE_SPEC.md). One that is refused is left out: the image doesn't need it."""
        found = referrer(descriptor, document)
        name: str = descriptor.digest
        if found is not None and found.kind in _COSIGN_TAGS and "subject" not in document.fields:
            subject = found.subject or image.root.digest
            name = f"{algorithm(subject)}-{encoded(subject)}.{_COSIGN_TAGS[found.kind]}"
        try:
            self._put(image, descriptor, document, name)
        except RefusedError as error:
            what = found.kind.value if found is not None else "manifest"
            self._progress.warn(f"{image.name}: the {what} {short(descriptor.digest)} was left out: {error}")

    def _registry_has_manifest(self, digest: Digest) -> bool:
        try:
            self._client.get_manifest(self._reference.repository, digest)
        except NotFoundError:
            return False
        return True

    def _put(self, image: Image, descriptor: Descriptor, document: Manifest | Index, name: str) -> None:
        """One manifest. Blobs that the registry misses now, though it said it had them, are sent (again)."""
        repository = self._reference.repository
        where = self._client.name_of(repository, name)
        for tries_left in range(_LOST_BLOBS_TRIES, -1, -1):
            answer = self._client.put_manifest(repository, name, document.media_type, document.raw, self._target.scope)
            if answer.status < 300:
                break
            lost = self._lost_blobs(image, document, answer.digests_named(), answer.codes())
            if not lost or not tries_left:
                raise self._client.refusal(answer, f"writing the manifest {where}", repository)
            self._progress.note(f"{where}: the registry misses {len(lost)} blobs that it said it had; sending them again")
            with self._lock:
                for blob, _ in lost:
                    self._outcomes.pop(blob.digest, None)
            self._wait({blob.digest: self._take(blob, label, known_absent=True) for blob, label in lost})
        stored = answer.headers.get("docker-content-digest", descriptor.digest)
        if stored != descriptor.digest:
            raise RefusedError(
                f"{where}: expected the registry to store {descriptor.digest}, found that it says {stored[:80]!r}: it has "
                "altered the manifest, which would break every reference to it"
            )

    def _lost_blobs(
        self, image: Image, document: Manifest | Index, named: set[Digest], codes: Sequence[str]
    ) -> list[tuple[Blob, str]]:
        if not isinstance(document, Manifest) or not {"BLOB_UNKNOWN", "MANIFEST_BLOB_UNKNOWN"} & set(codes):
            return []
        blobs = self._blobs(image, [(document.descriptor(), document)])
        return [item for item in blobs if item[0].digest in named] or blobs

    def _read_back(self, root: Descriptor, raw: bytes, name: str) -> None:
        """The tag holds what was pushed, to the byte."""
        found: Digest | str = "nothing"
        for pause in (*_READ_BACK_WAITS, 0.0):
            try:
                stored, _ = self._client.get_manifest(self._reference.repository, name)
                if stored == raw:
                    return
                found = blob_of(stored).digest
            except NotFoundError:
                found = "nothing"
            if pause:
                self._client.patience.sleep(pause)
        raise RefusedError(
            f"{self._reference}: pushed {root.digest}, but reading it back gave {found}: another push to the same tag came in "
            "between, or the registry alters manifests; push again"
        )


class RegistryDestination(PooledDestination):
    """A `Destination` with a pool of its own: leaving it ends the client's requests."""

    def __init__(
        self,
        client: RegistryClient,
        reference: Reference,
        *,
        profile: Profile,
        jobs: int | None = None,
        chunk_size: int | None = None,
        smallest_chunk: int = SMALLEST_BODY,
        mount_from: Sequence[str] = (),
        state: State = NOTHING_REMEMBERED,
        may_split: bool = False,
        progress: Progress = SILENT,
    ) -> None:
        """As `Pool` and `PooledDestination` have them."""
        pool = Pool(
            client,
            profile,
            jobs=jobs,
            chunk_size=chunk_size,
            smallest_chunk=smallest_chunk,
            state=state,
            progress=progress,
        )
        super().__init__(pool, reference, mount_from=mount_from, may_split=may_split, progress=progress)

    def close(self) -> None:
        """Ends running uploads at once."""
        with self._lock:
            self._closed = True
        self._pool.close()
        super().close()
