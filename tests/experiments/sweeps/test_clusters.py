"""The same sweep by every executor, disturbed on the way: the same bits.

Collected where Ray and submitit are installed (the extras ``cluster`` and ``slurm``).
"""

import dataclasses
import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from metalocus.agents.ppo.files import Corrupt, read_tensors
from metalocus.experiments.cli.main import run as run_command
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.folders.folder import CHECKPOINT
from metalocus.experiments.runs.records import load_manifest
from metalocus.experiments.sweeps.executors import cluster as clusters
from metalocus.experiments.sweeps.executors.chosen import executed_by, in_processes
from metalocus.experiments.sweeps.executors.cluster import Ray
from metalocus.experiments.sweeps.executors.slurm import Slurm
from metalocus.experiments.sweeps.journal import events
from metalocus.experiments.sweeps.order import DONE, LOST
from metalocus.experiments.sweeps.sweep import sweep

pytestmark = [
    pytest.mark.faults,
    pytest.mark.filterwarnings("default"),  # those of Ray are not ours
]
RUNS = int(os.environ.get("METALOCUS_CLUSTER_RUNS", "6"))


@pytest.fixture(scope="module")
def configs(tiny):
    """The first is long, so that it can be disturbed on the way."""
    short = dataclasses.replace(tiny, agent="mlp", steps=160, n_envs=16)
    first = dataclasses.replace(short, steps=10_000, seed=0)
    return [first, *(dataclasses.replace(short, seed=seed) for seed in range(1, RUNS))]


@pytest.fixture(scope="module")
def expected(configs, tmp_path_factory):
    """The weights of every run, from local processes."""
    return made(configs, tmp_path_factory.mktemp("local"))


def made(configs, out, by=None):
    """What every executor measured: the digest of the manifest's files but the event files."""
    folders = sweep(configs, out, by)
    files = {name: load_manifest(folder)["files"] for name, folder in folders.items()}
    return {
        name: {n: each[n] for n in ("config.json", "results.parquet")} | digest(folders[name])
        for name, each in files.items()
    }


def digest(folder):
    return {"weights": load_manifest(folder)["sha256"]}


@pytest.fixture(scope="module")
def two_nodes():
    """A cluster of two nodes on this machine, of one core each."""
    own = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=own)
    second = cluster.add_node(num_cpus=1, object_store_memory=80 * 2**20)
    ray.init(address=cluster.address, log_to_driver=False)
    yield cluster, second
    ray.shutdown()
    cluster.shutdown()


def when(condition, act):
    """Act in another thread once a condition holds."""

    def wait():
        end = time.monotonic() + 600
        while time.monotonic() < end:
            with suppress(OSError, Corrupt):
                if condition():
                    act()
                    return
            time.sleep(0.1)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def ended(out, number):
    return sum(each.event == "ended" for each in events(out)) >= number


def workers_of_ray():
    """Processes of Ray's that have a fork server, as their parents' names say."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            if b"sweeps.fork_server" in Path("/proc", entry, "cmdline").read_bytes():
                parent = Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()[1]
                if Path("/proc", parent, "cmdline").read_bytes().startswith(b"ray::"):
                    found.append(int(parent))
    return found


def test_a_worker_and_a_node_of_ray_are_killed(configs, expected, two_nodes, tmp_path):
    cluster, second = two_nodes
    first = when(
        lambda: ended(tmp_path, 1) and workers_of_ray(),
        lambda: os.kill(workers_of_ray()[0], signal.SIGKILL),
    )
    other = when(
        lambda: ended(tmp_path, 3), lambda: cluster.remove_node(second, allow_graceful=False)
    )
    assert made(configs, tmp_path, Ray()) == expected
    first.join()
    other.join()
    codes = [each.values["code"] for each in events(tmp_path) if each.event == "ended"]
    assert codes.count(DONE) == len(configs)
    assert codes.count(LOST) == len(codes) - len(configs) > 0, "what was lost is made again"
    assert not list(tmp_path.glob(".shared*"))


def test_without_a_shared_folder_runs_are_brought_back_whole(
    configs, expected, two_nodes, tmp_path, monkeypatch
):
    monkeypatch.setattr(clusters.Ray, "begin", begin_elsewhere)
    found = made(configs[:2], tmp_path, Ray())
    assert found == {name: expected[name] for name in found}


def begin_elsewhere(self, orders):
    """The mark is never written, as if tasks saw another disk."""
    self._connect()
    self.shared = {order.out: "none" for order in orders}


def test_measurements_run_on_ray_too(two_nodes):
    with executed_by(Ray()):
        assert dict(in_processes([os.getppid, os.getpid])).keys() == {0, 1}
        with pytest.raises(ZeroDivisionError):
            list(in_processes([divide]))


def divide():
    return 1 / 0


def test_a_job_of_submitit_is_interrupted(configs, expected, tmp_path):
    """It gets the signal of a time limit when its run has a checkpoint, and is queued again."""
    by, folder = Slurm(2, "local"), tmp_path / configs[0].name
    thread = when(lambda: steps_saved(folder) > 0, lambda: interrupt(by, configs[0]))
    assert made(configs, tmp_path, by) == expected
    thread.join()
    ended = {each.values["run"]: each.values for each in events(tmp_path) if "code" in each.values}
    assert len(ended) == sum("code" in each.values for each in events(tmp_path)) == len(configs)
    starts = {name: values["starts"] for name, values in ended.items()}
    assert starts == {config.name: 1 + (config is configs[0]) for config in configs}
    said = "".join(log.read_text() for log in Path(by.executor.folder).glob("*_log.out"))
    assert said.count("this job is preempted") == said.count("Requeued job") == 1
    first, second = sorted(map(first_step, folder.glob("events.out.tfevents.*")))
    assert first == 0
    assert second > 0, "it went on from the checkpoint"


def steps_saved(folder):
    """Steps in the newest checkpoint of a run."""
    return read_tensors(folder / CHECKPOINT)[1]["counters"]["num_timesteps"]


def interrupt(by, config):
    """Signal the process of a job as Slurm does; ``job._interrupt`` hits submitit's controller."""
    (job,) = (job for job, order, _ in by.jobs if order.name == config.name)
    controller = job._process.pid
    (task,) = Path(f"/proc/{controller}/task/{controller}/children").read_text().split()
    os.kill(int(task), signal.SIGUSR2)


def first_step(file):
    """The step at which a process began to log."""
    events_there = EventFileLoader(str(file)).Load()
    return next(each.step for each in events_there if each.HasField("session_log"))


def test_slurm_and_ray_that_are_not_there_are_told_in_one_line(tmp_path, capsys, monkeypatch):
    (tmp_path / "x.toml").write_text('[[runs]]\nsetting = "bandit"\nagent = "mlp"\nsteps = 0\n')
    line = ["sweep", str(tmp_path / "x.toml"), "--out", str(tmp_path / "runs")]
    assert run_command([*line, "--executor", "slurm"]) == 2
    assert "Slurm is not here" in capsys.readouterr().err
    ray.shutdown()
    with pytest.raises(WrongUse, match=r"no Ray cluster at 127\.0\.0\.1:1 .*refused"):
        Ray("127.0.0.1:1")._connect()
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(WrongUse, match=r"no Ray cluster at 127\.0\.0\.1:1 .*refused"):
        Ray()._connect()
