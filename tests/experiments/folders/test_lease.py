"""One writer a folder without fcntl: nobody is let in beside a holder, the dead are followed."""

import json
import os
import threading
import time
from contextlib import suppress

import pytest

from metalocus.experiments.errors import WrongUse
from metalocus.experiments.folders import lease
from metalocus.experiments.folders.lease import LOCK, Busy, held, held_of, is_held


@pytest.fixture
def quick(monkeypatch):
    """Leases of a third of a second."""
    monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr(lease, "LEASE_SECONDS", 0.3)
    monkeypatch.setattr(lease, "WATCH_SECONDS", 0.02)


def elsewhere(monkeypatch, record):
    """What a process on another machine would have written."""
    return json.dumps({**json.loads(record), "host": "another"}).encode().ljust(256)


def test_a_free_folder_goes_from_hand_to_hand_and_keeps_one_file(tmp_path):
    for number in range(1, 4):
        assert not is_held(tmp_path)
        with held(tmp_path) as own:
            assert is_held(tmp_path)
            own.require()
            assert [path.name for path in tmp_path.iterdir()] == [f"{LOCK}.{number}"]
            with pytest.raises(Busy), held(tmp_path):
                pass


def test_a_holder_elsewhere_is_judged_by_its_heartbeat_and_never_by_a_clock(
    tmp_path, quick, monkeypatch
):
    """Its file may be of the year 1970 or of the next century."""
    file = tmp_path / f"{LOCK}.5"
    for stamp in (0, 4e9):
        file.write_bytes(elsewhere(monkeypatch, lease._record(0)))
        os.utime(file, (stamp, stamp))
        stop = threading.Event()

        def beat(stop=stop):
            number = 0
            while not stop.wait(0.05):
                number += 1
                lease._overwrite(file, elsewhere(monkeypatch, lease._record(number)))

        thread = threading.Thread(target=beat)
        thread.start()
        assert is_held(tmp_path)
        with pytest.raises(Busy), held(tmp_path):
            pass
        stop.set()
        thread.join()
    assert not is_held(tmp_path)
    began = time.monotonic()
    with held(tmp_path):
        assert time.monotonic() - began > 0.3
        assert not file.exists()


def test_holders_elsewhere_are_watched_together(tmp_path, quick, monkeypatch):
    """Some beat, some are silent, some end meanwhile: two heartbeats for all."""
    monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 0.15)
    folders = {
        name: tmp_path / name for name in ("beats", "silent", "ends", "free", "empty", "here")
    }
    for name, folder in folders.items():
        folder.mkdir()
        if name not in ("empty", "here"):
            data = lease._FREE if name == "free" else elsewhere(monkeypatch, lease._record(0))
            (folder / f"{LOCK}.3").write_bytes(data)

    def change():
        beating = elsewhere(monkeypatch, lease._record(1))
        lease._overwrite(folders["beats"] / f"{LOCK}.3", beating)
        lease._overwrite(folders["ends"] / f"{LOCK}.3", lease._FREE)

    timer = threading.Timer(0.1, change)
    timer.start()
    began = time.monotonic()
    with held(folders["here"]):
        assert held_of(folders.values()) == {folders["beats"], folders["here"]}
    assert time.monotonic() - began < 2 * 0.3
    timer.join()


def test_a_dead_or_garbled_holder_is_followed(tmp_path, quick):
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            lease._take(tmp_path)
        os._exit(0)
    os.waitpid(child, 0)
    began = time.monotonic()
    with held(tmp_path):
        assert time.monotonic() - began < 0.25, "it is known at once"
    for garbage in (b"", b"{", b"\xff" * 5000, json.dumps({"pid": "x"}).encode()):
        number = max(int(path.name.rpartition(".")[2]) for path in tmp_path.iterdir())
        (tmp_path / f"{LOCK}.{number}").write_bytes(garbage)
        with held(tmp_path):
            pass


def test_a_process_id_that_is_used_again_is_not_taken_for_the_holder(tmp_path):
    record = {**json.loads(lease._record(0)), "started": "1"}
    (tmp_path / f"{LOCK}.1").write_bytes(json.dumps(record).encode().ljust(256))
    with held(tmp_path):
        pass


def test_a_holder_that_was_away_too_long_gives_up(tmp_path, quick, monkeypatch):
    with held(tmp_path) as first:
        monkeypatch.setattr(lease, "_lives", lambda record: False)
        with held(tmp_path) as second:
            second.require()
            with pytest.raises(Busy, match="has taken over"):
                first.require()
        with pytest.raises(Busy), held(tmp_path) as third:
            raise Busy  # the body was reached: the folder was free again
        assert third.number == 3
    assert not is_held(tmp_path), "who was away cannot free or hold it"
    assert [path.name for path in tmp_path.iterdir()] == [f"{LOCK}.3"]


def test_who_comes_late_with_a_low_number_yields(tmp_path, monkeypatch):
    """It saw an empty folder; meanwhile others came and went, and one works."""
    with held(tmp_path), held_again(tmp_path, monkeypatch) as own:
        answers = iter([0])
        highest = lease._highest
        monkeypatch.setattr(lease, "_highest", lambda folder: next(answers, highest(folder)))
        with pytest.raises(Busy), held(tmp_path):
            pass
        assert [path.name for path in tmp_path.iterdir()] == [own.file.name]


def held_again(folder, monkeypatch):
    """Held by a second one, the first being taken for dead."""
    with monkeypatch.context() as patch:
        patch.setattr(lease, "_lives", lambda record: False)
        context = held(folder)
        own = context.__enter__()
    context.__enter__ = lambda: own
    return _Entered(context, own)


class _Entered:
    def __init__(self, context, own):
        self.context, self.own = context, own

    def __enter__(self):
        return self.own

    def __exit__(self, *error):
        return self.context.__exit__(*error)


def test_of_many_that_come_at_once_one_is_let_in(tmp_path):
    """Twelve processes, again and again, after a dead one each time."""
    for _ in range(5):
        gate, write = os.pipe()
        result_read, result_write = os.pipe()
        children = []
        for _ in range(12):
            child = os.fork()
            if child == 0:
                os.close(write)
                os.read(gate, 1)
                with suppress(BaseException):
                    lease._take(tmp_path)
                    os.write(result_write, b"x")
                    os.read(gate, 1)
                    time.sleep(0.2)
                os._exit(0)
            children.append(child)
        os.close(write)
        for child in children:
            os.waitpid(child, 0)
        os.close(result_write)
        assert os.read(result_read, 100) == b"x"
        os.close(result_read)
        os.close(gate)


def test_a_link_or_a_pipe_is_no_lease(tmp_path):
    (tmp_path / "precious").write_text("precious")
    for make in (lambda path: path.symlink_to(tmp_path / "precious"), os.mkfifo, os.mkdir):
        path = tmp_path / f"{LOCK}.4"
        make(path)
        with pytest.raises(WrongUse, match="is a link, a pipe or a folder; remove it"):
            held(tmp_path).__enter__()
        assert (tmp_path / "precious").read_text() == "precious"
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
