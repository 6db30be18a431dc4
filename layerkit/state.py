"""What is remembered between runs, in small files of the user's own.

    hosts.json        what a registry's host taught about uploads, with its date; other programs may read it
    proved            which blob was proven to hold which content: a line each, digest, diff_id, date
    uploads/*.json    uploads under way: where each goes on, and how far it is
    batch             what batches have done, and where blobs are: a line each (`batch.record`)

In: values to keep. Out: what was kept, if it is there, sound, and the user's own. Nothing here is needed for a push to succeed:
what is damaged, or can't be written, is passed over with one note. Several processes may keep things at the same time: files are
changed under a lock, and replaced whole. An upload's Location may carry the session's secrets, so everything is for the user's
eyes alone (0600 in 0700).

The folder is `$XDG_STATE_HOME/layerkit`, `~/.local/state/layerkit` by default (XDG Base Directory Specification 0.8).
"""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

from layerkit.journal import Journal
from layerkit.ours import PassedOverError, check_ours

MOST_HOSTS = 200
"""Hosts that are remembered; those that taught something last."""

MOST_PROOFS = 4000
"""Blobs that are remembered as proven, about 160 bytes each; half of them are forgotten at a time."""

MOST_UPLOADS = 64
"""Uploads under way that are remembered."""

LESSON_DAYS = 90
"""Days after which what a host taught has to be learned anew: registries change."""

UPLOAD_SECONDS = 7 * 86_400
"""Age at which an upload isn't worth asking for: registries purge them after a week (distribution's uploadpurging)."""

_LARGEST_FILE = 1 << 20
"""Bytes; what is larger has been damaged."""

_LARGEST_UPLOAD = 16 << 10
"""Bytes of what is kept of one upload: a Location may be some kilobytes of signature."""

_PATIENCE = 2.0
"""Seconds for which another process's lock is waited for. It is held for milliseconds."""

_PROOF = re.compile(r"(sha(?:256|512):[0-9a-f]{64,128}) (sha(?:256|512):[0-9a-f]{64,128}) ([0-9]{4}-[0-9]{2}-[0-9]{2})")


class Lesson(NamedTuple):
    """What a host taught."""

    learned: date
    fields: Mapping[str, Any]
    """JSON; whoever taught it says what is in it."""


class Proof(NamedTuple):
    """A blob that layerkit has decoded."""

    diff_id: str
    proved: date


class _GarbledError(PassedOverError):
    """A file of ours whose content is damaged: the next one takes its place."""


class State:
    """Thread-safe. `folder` None: nothing is remembered."""

    def __init__(
        self,
        folder: Path | None,
        note: Callable[[str], None] = lambda text: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`note` is told, once, when something is passed over; `now`: seconds since the epoch."""
        self._folder = folder
        self._note = note
        self._now = now
        self._lock = threading.RLock()
        self._noted = False
        self._proofs: dict[str, Proof] | None = None

    @classmethod
    def of(cls, environment: Mapping[str, str], note: Callable[[str], None] = lambda text: None) -> "State":
        """The user's own. Without a home nothing is remembered."""
        base, home = environment.get("XDG_STATE_HOME", ""), environment.get("HOME", "")
        if base.startswith("/"):  # the specification says to ignore relative paths
            return cls(Path(base) / "layerkit", note)
        return cls(Path(home) / ".local" / "state" / "layerkit" if home.startswith("/") else None, note)

    def journal(self, name: str) -> Journal:
        """Lines that are kept in a file of that name."""
        return Journal(self._folder / name if self._folder is not None else None, self._note)

    # What hosts taught

    def lesson(self, host: str) -> Lesson | None:
        """Nothing when it is older than LESSON_DAYS."""
        with self._passing_over("what registries taught"):
            entry = self._hosts().get(host)
            if isinstance(entry, dict) and isinstance(entry.get("fields"), dict):
                learned = _date(entry.get("learned"))
                if learned is not None and 0 <= (self._today() - learned).days <= LESSON_DAYS:
                    return Lesson(learned, entry["fields"])
        return None

    def teach(self, host: str, fields: Mapping[str, Any]) -> None:
        """In the place of what the host taught before; nothing at all when `fields` are empty."""
        with self._passing_over("what registries taught"), self._locked():
            hosts: dict[str, Any] = {}
            with contextlib.suppress(_GarbledError):
                hosts = self._hosts()
            hosts.pop(host, None)
            if fields:
                hosts[host] = {"learned": self._today().isoformat(), "fields": dict(fields)}
            while len(hosts) > MOST_HOSTS:
                del hosts[next(iter(hosts))]  # in the order in which they taught something
            self._write("hosts.json", json.dumps({"version": 1, "hosts": hosts}, indent=1).encode())

    def forget(self, host: str) -> None:
        """What the host taught, and the uploads under way there."""
        if self.lesson(host) is not None:
            self.teach(host, {})
        with self._passing_over("uploads under way"):
            for path in self._upload_files():
                with contextlib.suppress(PassedOverError, OSError):
                    if _parsed(_read(path, _LARGEST_UPLOAD), path).get("registry") == host:
                        path.unlink(missing_ok=True)

    def _hosts(self) -> dict[str, Any]:
        folder = self._ours()
        try:
            hosts = _parsed(_read(folder / "hosts.json", _LARGEST_FILE), folder / "hosts.json").get("hosts")
        except FileNotFoundError:
            return {}
        return hosts if isinstance(hosts, dict) else {}

    # What was proven

    def proof(self, digest: str) -> Proof | None:
        """What the blob of that digest holds, if layerkit has ever decoded it for this user."""
        with self._lock:
            if self._proofs is None:
                self._proofs = {}
                with self._passing_over("what was proven"):
                    self._proofs = self._read_proofs()
            return self._proofs.get(digest)

    def prove(self, diff_ids: Mapping[str, str]) -> None:
        """Digest -> diff_id of blobs that were decoded and found to be that."""
        today = self._today()
        new = {digest: Proof(diff_id, today) for digest, diff_id in diff_ids.items() if self.proof(digest) is None}
        if not new:
            return
        with self._lock:
            assert self._proofs is not None
            self._proofs.update(new)
        with self._passing_over("what was proven"), self._locked():
            proofs = {**self._read_proofs(), **new}
            if len(proofs) > MOST_PROOFS:
                proofs = dict(list(proofs.items())[-MOST_PROOFS // 2 :])
            self._write(
                "proved", b"".join(f"{digest} {proof.diff_id} {proof.proved}\n".encode() for digest, proof in proofs.items())
            )

    def _read_proofs(self) -> dict[str, Proof]:
        folder = self._ours()
        try:
            text = _read(folder / "proved", _LARGEST_FILE).decode("ascii", "replace")
        except FileNotFoundError:
            return {}
        found = {}
        for line in text.splitlines():
            match = _PROOF.fullmatch(line)
            proved = _date(match[3]) if match else None
            if match and proved is not None:  # a line that was damaged says nothing about the others
                found[match[1]] = Proof(match[2], proved)
        return found

    # Uploads under way

    @contextlib.contextmanager
    def upload(self, registry: str, repository: str, digest: str) -> Iterator["UploadRecord"]:
        """The record of one upload, for as long as it is under way here. Another process that sends the same blob to the same
        place meanwhile has an upload of its own, which isn't remembered."""
        record = UploadRecord()
        with self._passing_over("uploads under way"):
            record = self._open_upload(registry, repository, digest)
        try:
            yield record
        finally:
            record.close()

    def uploaded(self, registry: str, repository: str, digest: str) -> None:
        """The blob is there: whatever upload of it is remembered isn't needed."""
        with self._passing_over("uploads under way"):
            key = {"registry": registry, "repository": repository, "digest": digest}
            (self._ours() / "uploads" / _name_of(key)).unlink(missing_ok=True)

    def _open_upload(self, registry: str, repository: str, digest: str) -> "UploadRecord":
        folder = self._ours(create=True) / "uploads"
        folder.mkdir(mode=0o700, exist_ok=True)
        self._prune_uploads(keep=MOST_UPLOADS - 1)
        key = {"registry": registry, "repository": repository, "digest": digest}
        path = folder / _name_of(key)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return UploadRecord()
        except BaseException:
            os.close(fd)
            raise
        return UploadRecord(fd, path, key, self._now())

    def _prune_uploads(self, keep: int) -> None:
        aged = sorted((path.stat().st_mtime, path) for path in self._upload_files())
        for number, (changed, path) in enumerate(reversed(aged)):
            if number >= keep or self._now() - changed > UPLOAD_SECONDS:
                path.unlink(missing_ok=True)

    def _upload_files(self) -> list[Path]:
        return list((self._ours() / "uploads").glob("*.json"))

    # Files

    @contextlib.contextmanager
    def _passing_over(self, what: str) -> Iterator[None]:
        """Whatever goes wrong with a file is told, once for all, and nothing else happens."""
        try:
            yield
        except FileNotFoundError:
            pass  # nothing was kept yet
        except PassedOverError as error:
            self._tell(what, str(error))
        except OSError as error:
            self._tell(what, f"{error.filename or self._folder}: {error.strerror or error}")

    def _tell(self, what: str, why: str) -> None:
        with self._lock:
            if why and not self._noted:
                self._noted = True
                self._note(f"{what} can't be remembered between runs ({why})")

    def _ours(self, *, create: bool = False) -> Path:
        """The folder. Raises PassedOverError when it isn't the user's own: what others may write proves nothing."""
        if self._folder is None:
            raise PassedOverError
        if create:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_ours(self._folder.stat(), self._folder)
        return self._folder

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """No other process changes a file meanwhile."""
        path = self._ours(create=True) / "lock"
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            ends = time.monotonic() + _PATIENCE
            while True:
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > ends:
                        raise PassedOverError(f"{path}: another process holds it") from None
                    time.sleep(0.02)
            with self._lock:
                yield
        finally:
            os.close(fd)

    def _write(self, name: str, data: bytes) -> None:
        """Whole or not at all."""
        folder = self._ours()
        fd, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(data)
            Path(temporary).replace(folder / name)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def _today(self) -> date:
        return datetime.fromtimestamp(self._now(), UTC).date()


class UploadRecord:
    """Where one upload goes on. Not thread-safe: an upload has one thread."""

    def __init__(self, fd: int = -1, path: Path | None = None, key: Mapping[str, str] | None = None, now: float = 0.0) -> None:
        """`fd`: its file, locked, taken over; -1: nothing is kept. `now`: seconds since the epoch."""
        self.location = ""
        """URL; empty: nothing is known of an earlier run's upload."""
        self.offset = 0
        """Bytes the registry had acknowledged."""
        self._fd = fd
        self._path = path
        self._key = dict(key or {})
        self._written = 0
        if fd >= 0:
            self._load(now)
        self.recalled = self.location or None
        """What an earlier run left."""

    def keep(self, location: str, offset: int) -> None:
        """The upload goes on there. One write of less than a page: a process that is killed leaves the old or the new."""
        if self._fd < 0:
            return
        data = json.dumps({**self._key, "location": location, "offset": offset}).encode()
        if len(data) > _LARGEST_UPLOAD:
            return
        with contextlib.suppress(OSError):  # a full disk: what is there is of no use, and is found to be damaged
            os.pwrite(self._fd, data.ljust(self._written), 0)
            self._written = len(data)

    def done(self) -> None:
        """There is nothing to go on with."""
        if self._fd >= 0 and self._path is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, 0)  # for whoever has it open already
                self._path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """The file stays; whoever opens it next goes on."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _load(self, now: float) -> None:
        status = os.fstat(self._fd)
        self._written = min(status.st_size, _LARGEST_UPLOAD)
        if now - status.st_mtime > UPLOAD_SECONDS:
            return
        try:
            check_ours(status, self._path)
            fields = _parsed(os.pread(self._fd, _LARGEST_UPLOAD, 0), self._path)
        except PassedOverError:
            return
        location, offset = fields.get("location"), fields.get("offset")
        is_same = all(fields.get(name) == value for name, value in self._key.items())
        if is_same and isinstance(location, str) and isinstance(offset, int) and offset >= 0:
            self.location, self.offset = location, offset


NOTHING_REMEMBERED = State(None)


def _name_of(key: Mapping[str, str]) -> str:
    return f"{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]}.json"


def _read(path: Path, most: int) -> bytes:
    """A file of the user's own. Raises PassedOverError for any other, FileNotFoundError when there is none."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(fd, "rb") as file:
        check_ours(os.fstat(fd), path)
        data = file.read(most + 1)
    if len(data) > most:
        raise _GarbledError(f"{path}: it is larger than {most:,} bytes")
    return data


def _parsed(data: bytes, path: Path | None) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _GarbledError(f"{path}: it is damaged")
    return found


def _date(text: object) -> date | None:
    try:
        return date.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
