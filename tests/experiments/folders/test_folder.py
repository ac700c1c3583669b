"""Who may write in a run's folder, and what is not written through."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from metalocus.agents.ppo.files import Corrupt
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.folders.folder import (
    WRITTEN,
    require_own_name,
)
from metalocus.experiments.folders.lease import LOCK, Busy, locked, require_writable
from metalocus.experiments.training.train import train


def test_a_folder_has_one_writer_at_a_time(tmp_path, tiny):
    with locked(tmp_path / tiny.name):
        with pytest.raises(Busy, match=r"another process is writing .+; wait for it or stop it"):
            train(tiny, tmp_path)
        assert [path.name for path in (tmp_path / tiny.name).iterdir()] == [f"{LOCK}.1"]
    with locked(tmp_path / tiny.name):
        pass


def test_a_killed_writer_gives_the_folder_back(tmp_path):
    hold = """
import sys, time
from pathlib import Path
from metalocus.experiments.folders.lease import locked
with locked(Path(sys.argv[1])):
    print(flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", hold, tmp_path], stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        (tmp_path / ".weights.safetensors.123.tmp").write_bytes(b"half written")
        with pytest.raises(Busy), locked(tmp_path):
            pass
        assert len(list(tmp_path.glob(".*.tmp"))) == 1, "it may be in use"
        other.send_signal(signal.SIGKILL)
    with locked(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == [f"{LOCK}.2"]


def test_nothing_is_written_through_a_link_or_into_a_pipe(tmp_path):
    """Whichever file of a run it is; the link's target keeps what it has."""
    victim, folder = tmp_path / "victim", tmp_path / "run"
    victim.write_text("precious")
    makers = {
        "link": lambda path: path.symlink_to(victim),
        "dangling link": lambda path: path.symlink_to(tmp_path / "nothing"),
        "pipe": os.mkfifo,
        "folder": lambda path: path.mkdir(),
    }
    for name in WRITTEN:
        for kind, make in makers.items():
            folder.mkdir()
            make(folder / name)
            with pytest.raises(WrongUse, match="is a link, a pipe or a folder; remove it"):
                locked(folder).__enter__()
            assert victim.read_text() == "precious", (name, kind)
            assert not (tmp_path / "nothing").exists()
            assert [path.name for path in folder.iterdir()] == [name]
            shutil.rmtree(folder)


def test_a_run_folder_that_is_a_link_is_not_written_through(tmp_path, tiny):
    for target in ("elsewhere", "nowhere"):
        (tmp_path / "elsewhere").mkdir(exist_ok=True)
        (tmp_path / tiny.name).symlink_to(tmp_path / target)
        with pytest.raises(WrongUse, match=f"{tiny.name} is a link; remove it, or name the folder"):
            train(tiny, tmp_path)
        assert list((tmp_path / "elsewhere").iterdir()) == []
        assert not (tmp_path / "nowhere").exists()
        (tmp_path / tiny.name).unlink()


def test_a_place_that_cannot_be_written_is_refused_before_the_work(tmp_path, tiny, monkeypatch):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "deeper", tmp_path / ("x" * 300)):
        with pytest.raises(WrongUse, match=r"cannot write in .+; choose another --out") as raised:
            train(tiny, out)
        assert len(str(raised.value).splitlines()) == 1
    assert (tmp_path / "file").read_text() == ""

    def full(**_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("metalocus.experiments.folders.lease.TemporaryFile", full)
    with pytest.raises(WrongUse, match=r"cannot write in .+No space left on device"):
        train(tiny, tmp_path / "full")
    monkeypatch.undo()
    require_writable(tmp_path / "new" / "folder")
    assert list((tmp_path / "new" / "folder").iterdir()) == []


def test_a_folder_may_have_any_name_but_another_runs(tmp_path, tiny, monkeypatch):
    for name in (tiny.name, "best", "lstm-s0", f"copy of {tiny.name}", f"{tiny.name}-old"):
        require_own_name(tmp_path / name, tiny.name)
    other = tiny.name.removesuffix("1") + "0"
    for name in (other, tiny.name.replace("lstm", "gru")):
        with pytest.raises(Corrupt, match=f"holds the run {tiny.name}; rename it to that"):
            require_own_name(tmp_path / name, tiny.name)
    (tmp_path / other).mkdir()
    monkeypatch.chdir(tmp_path / other)
    with pytest.raises(Corrupt):
        require_own_name(Path("."), tiny.name)
