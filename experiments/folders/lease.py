"""One writer a folder, by plain files alone: no fcntl, so it holds over NFS and between machines.

The holder of a folder is the process that made its lease file of the highest number, such as
``.lock.7``. A file is made exclusively (``O_EXCL``, atomic on NFS since version 3), so of all that
want to follow the same holder one succeeds. The highest one is never removed: a released lease
stays, marked as free, and whoever comes late with a low number sees the higher one and yields.

While it works the holder rewrites its file every ``HEARTBEAT_SECONDS``. Whether a holder on another
machine is alive is judged by whether its file changes while one's own clock runs for
``LEASE_SECONDS``; clocks of two machines are never compared. On the same machine the process
itself is looked for. A holder that was away for so long finds a higher number and gives up: see
:meth:`Lease.require`.
"""

from __future__ import annotations

import json
import os
import re
import stat
import time
import uuid
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from platform import node
from tempfile import TemporaryFile
from threading import Event, Thread

from metalocus.experiments.errors import WrongUse
from metalocus.experiments.folders.folder import WRITTEN

LOCK = ".lock"
HEARTBEAT_SECONDS = 5.0
LEASE_SECONDS = 45.0
"""Nine heartbeats: longer than an NFS client keeps what it knows of a file (3 to 30 seconds)."""
WATCH_SECONDS = 0.5
_LENGTH = 256
"""Bytes of a lease file, always written at once and in place."""
_FREE = b"free".ljust(_LENGTH)
_NUMBERED = re.compile(rf"{re.escape(LOCK)}\.([0-9]{{1,15}})")


class Busy(RuntimeError):
    """Another process is working in the folder."""


class Lease:
    """A folder that this process holds.

    Args:
        folder: that is held.
        number: of the lease file.
    """

    def __init__(self, folder: Path, number: int) -> None:
        self.folder, self.number = folder, number
        self.file = folder / f"{LOCK}.{number}"
        self.beats = 0

    def require(self) -> None:
        """Raise :class:`Busy` if another process has taken over meanwhile."""
        if _highest(self.folder) != self.number:
            raise Busy(
                f"another process has taken over {self.folder}, since this one gave no sign of life"
                f" for {LEASE_SECONDS:.0f} seconds; nothing is lost"
            )

    def beat(self) -> None:
        """Show that this process lives; OSError if it cannot be shown."""
        self.beats += 1
        _overwrite(self.file, _record(self.beats))

    def release(self) -> None:
        """Give the folder to whoever comes next."""
        with suppress(OSError):  # somebody has taken over, or the folder is gone
            _overwrite(self.file, _FREE)


@contextmanager
def held(folder: Path) -> Generator[Lease]:
    """Hold a folder, which exists, for this process alone.

    A holder on another machine is watched before the answer, for ``LEASE_SECONDS`` at most.

    Raises:
        Busy: another process holds it.
        WrongUse: a lease file is a link, a pipe or a folder, or none can be made.
    """
    lease = _take(folder)
    ended = Event()
    Thread(target=_keep, args=(lease, ended), daemon=True).start()
    try:
        yield lease
    finally:
        ended.set()
        lease.release()


def is_held(folder: Path) -> bool:
    """Whether a process works in a folder; a holder elsewhere is watched for two heartbeats."""
    return bool(held_of([folder]))


def held_of(folders: Iterable[Path]) -> set[Path]:
    """Those folders in which a process works; holders elsewhere are all watched at once."""
    working, watched = set(), dict[Path, tuple[Path, bytes]]()
    for folder in folders:
        number = _highest(folder)
        file = folder / f"{LOCK}.{number}"
        first = _read(file) if number else None
        if first is None or first == _FREE:
            continue
        alive = _lives(first)
        if alive:
            working.add(folder)
        elif alive is None:
            watched[folder] = file, first
    end = time.monotonic() + 2 * HEARTBEAT_SECONDS
    while watched and time.monotonic() < end:
        time.sleep(WATCH_SECONDS)
        for folder, (file, first) in list(watched.items()):
            now = _read(file)
            if now != first:
                del watched[folder]
                working |= {folder} if now != _FREE else set()
    return working


def _take(folder: Path) -> Lease:
    before = _highest(folder)
    if before:
        _require_free(folder / f"{LOCK}.{before}")
    lease = Lease(folder, before + 1)
    try:
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
        with os.fdopen(os.open(lease.file, flags, 0o644), "wb") as file:
            file.write(_record(0))
    except FileExistsError:
        raise Busy(_said(folder)) from None
    except OSError as error:
        raise WrongUse(f"cannot write in {folder} ({error.strerror})") from error
    numbers = _numbers(folder)
    if max(numbers, default=0) != lease.number:  # somebody was faster by a whole turn
        lease.file.unlink(missing_ok=True)
        raise Busy(_said(folder))
    for number in numbers:
        if number < lease.number:
            with suppress(OSError):
                (folder / f"{LOCK}.{number}").unlink()
    return lease


def _keep(lease: Lease, ended: Event) -> None:
    """Beat until the end, or until the lease is lost."""
    while not ended.wait(HEARTBEAT_SECONDS):
        try:
            lease.beat()
        except FileNotFoundError:
            return
        except OSError:  # such as a full disk: the next one may be shown
            continue


def _require_free(file: Path) -> None:
    """Raise :class:`Busy` unless a lease is free or its holder is gone."""
    first = _read(file)
    alive = None if first is None else _lives(first)
    if first is None or alive:
        raise Busy(_said(file.parent))
    end = time.monotonic() + (LEASE_SECONDS if alive is None and first != _FREE else 0)
    while time.monotonic() < end:
        time.sleep(WATCH_SECONDS)
        now = _read(file)
        if now == _FREE:
            return
        if now != first:
            raise Busy(_said(file.parent))


def _said(folder: Path) -> str:
    return f"another process is writing {folder}; wait for it or stop it"


def _numbers(folder: Path) -> list[int]:
    found = (_NUMBERED.fullmatch(name) for name in os.listdir(folder))
    return [int(match[1]) for match in found if match]


def _highest(folder: Path) -> int:
    """The highest number of a lease file in a folder; 0 if there is none."""
    return max(_numbers(folder), default=0)


def _read(file: Path) -> bytes | None:
    """A lease file's bytes; None if it has gone.

    Raises:
        WrongUse: it is a link, a pipe or a folder.
    """
    try:
        if not stat.S_ISREG(os.lstat(file).st_mode):
            raise WrongUse(f"{file} is a link, a pipe or a folder; remove it")
        with file.open("rb") as opened:  # opening asks an NFS server for what is new
            return opened.read(_LENGTH)
    except FileNotFoundError:
        return None


def _overwrite(file: Path, data: bytes) -> None:
    """Replace the bytes of a lease file that is there, in place."""
    with file.open("r+b", buffering=0) as opened:
        opened.write(data)


def _record(beats: int) -> bytes:
    """Who holds, and the number of its heartbeat."""
    pid = os.getpid()
    found = {"pid": pid, "started": _started(pid), "beat": beats, "host": _host()}
    found["name"] = node()[:40]
    return json.dumps(found).encode()[:_LENGTH].ljust(_LENGTH)


def _lives(record: bytes) -> bool | None:
    """Whether the holder that a record names lives; None if that cannot be known from here."""
    try:
        found = json.loads(record)
        pid, started, host = int(found["pid"]), found["started"], found["host"]
    except (ValueError, KeyError, TypeError):
        return None
    if host != _host():
        return None
    if started is None:  # no Linux
        return None
    return bool(_started(pid) == started)


def _started(pid: int) -> str | None:
    """When a process of this machine started, in ticks; None if it has ended or nobody knows."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


@lru_cache(maxsize=1)
def _host() -> str:
    """This machine since it was started, and its space of process ids."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return f"{node()} {uuid.getnode()}"


@contextmanager
def locked(folder: Path) -> Generator[Lease]:
    """Hold the folder for this process alone, making it if need be.

    Raises:
        Busy: another process holds it.
        WrongUse: it is a link or cannot be written, or one of its files is a link, a pipe or a
            folder.
    """
    if os.path.islink(folder):
        raise WrongUse(f"{folder} is a link; remove it, or name the folder that it leads to")
    require_writable(folder)
    for path in (folder / name for name in WRITTEN):
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise WrongUse(f"{path} is a link, a pipe or a folder; remove it")
    with held(folder) as lease:
        for half_written in folder.glob(".*.tmp"):  # by a process that was killed
            if not half_written.is_dir():
                half_written.unlink()
        yield lease


def require_writable(folder: Path) -> None:
    """Make a folder and write in it, so that no work begins whose results cannot be kept.

    Raises:
        WrongUse: it cannot be made or written, or its path is no text in this locale, which
            TensorBoard cannot write.
    """
    try:
        str(folder).encode()  # fails for bytes that are no text
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder) as trial:
            trial.write(bytes(4096))  # an empty file would fit on a full disk
    except OSError as error:
        reason = "it is a file" if os.path.isfile(folder) else error.strerror
        raise WrongUse(f"cannot write in {folder} ({reason}); choose another --out") from error
    except UnicodeEncodeError:
        advice = "choose another --out, or set LC_ALL=C.UTF-8"
        raise WrongUse(f"{folder} is no text in this locale; {advice}") from None
