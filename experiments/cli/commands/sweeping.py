"""Many runs: made, watched, and tried by force."""

from __future__ import annotations

from pathlib import Path

from tyro.conf import Positional

from metalocus.experiments.cli.asked import on_executor
from metalocus.experiments.cli.options import Address, ExecutorName, Json, Quiet, Workers
from metalocus.experiments.cli.texts import print_json


def sweep(
    file: Positional[Path],
    out: Path = Path("runs"),
    executor: ExecutorName = "local",
    address: Address = None,
    workers: Workers = None,
    shard: str = "1/1",
    time_limit: float | None = None,
    memory_limit: float | None = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make all runs that a file asks for, each once.

    A run takes the seconds to hours that `metalocus train` says. Repeated, the command goes on
    where it was; what other sweeps, claims or tables have made in the same folder is shared.

    Example: metalocus sweep sizes.toml --out runs --shard 1/4

    Args:
        file: TOML; every table [[runs]] is a grid over each list in it, of setting or env, agent,
            steps, seeds, n_envs, trainer, device, env_kwargs, agent_kwargs, train_kwargs. See
            docs/sweeps.md.
        out: folder of runs; parted if the sweep has over a thousand.
        shard: which part of the runs to make, i of n, for the jobs of an array.
        time_limit: minutes that one attempt at a run may take; it is then saved and ended.
        memory_limit: gibibytes that one attempt at a run may take (Linux).
    """
    from metalocus.experiments.cli.sweep_tables import sweep_lines
    from metalocus.experiments.display import hush
    from metalocus.experiments.sweeps.main import run_sweep
    from metalocus.experiments.sweeps.order import Limits, RunFailed
    from metalocus.experiments.sweeps.plan import shard_of

    hush(quiet)
    limits = Limits(None if time_limit is None else 60 * time_limit, memory_limit)
    with on_executor(executor, address, workers):
        found = run_sweep(file, out, limits, shard_of(shard))
    print_json(found) if json else print("\n".join(sweep_lines(found)))
    if found["error"] is not None:
        raise RunFailed(found["error"])


def status(folder: Positional[Path], json: Json = False) -> None:
    """How far the sweeps in a folder are, from any machine.

    Reads what the sweeps have written of themselves, not the runs: takes seconds. A damaged run is
    found by `metalocus runs` or by the sweep's own command.

    Example: metalocus status runs

    Args:
        folder: of runs, or of a debate or a comparison.
    """
    from metalocus.experiments.cli.sweep_tables import status_lines
    from metalocus.experiments.runs.provenance import made_by
    from metalocus.experiments.sweeps.status import status as read

    found = read(folder)
    if json:
        print_json({**found.to_dict(), "made": made_by(read.__module__)})
    else:
        print("\n".join(status_lines(found)))


def soak(
    out: Path = Path("soak"),
    kills: int = 200,
    seed: int = 0,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Kill and tamper at random, and count what is lost.

    Writes, workers, servers and drivers are killed. 200 kills take about three minutes on two
    quiet cores.

    Example: metalocus soak --kills 1000

    Args:
        out: a new folder.
        kills: half of them in writes, half in a sweep.
        seed: of the moments and the victims.
    """
    from metalocus.experiments.cli.sweep_tables import soak_lines
    from metalocus.experiments.display import hush
    from metalocus.experiments.sweeps.order import RunFailed
    from metalocus.experiments.sweeps.soak import soak as run

    hush(quiet)
    found = run(out, kills, seed)
    print_json(found.to_dict()) if json else print("\n".join(soak_lines(found)))
    if not found.good:
        raise RunFailed("something was lost, done twice, left or executed; see above")
