"""One agent trained, and the runs in a folder."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from pathlib import Path

from tyro.conf import Positional

from metalocus.experiments.cli.asked import on_executor
from metalocus.experiments.cli.options import Address, EnvKwargs, ExecutorName, Json, Quiet
from metalocus.experiments.cli.texts import Steps, Texts, keywords, print_json, seeds_of
from metalocus.experiments.errors import WrongUse


def train(
    env: str,
    agent: str,
    steps: Steps,
    seed: int | None = None,
    seeds: str | None = None,
    n_envs: int | None = None,
    device: str = "cpu",
    out: Path = Path("runs"),
    trainer: str = "rl",
    env_kwargs: EnvKwargs = (),
    agent_kwargs: Texts = (),
    train_kwargs: Texts = (),
    quiet: Quiet = False,
    executor: ExecutorName = "local",
    address: Address = None,
) -> None:
    """Train one agent, or the same at several seeds; the run directories are printed.

    A million steps take about six CPU seconds with the LSTM, .7 to 3.2 times that with others.

    Example: metalocus train --env metalocus/BernoulliBandit-v0 --agent lstm --steps 1e6 --seeds 0-2

    Args:
        env: id, see `metalocus list envs`.
        agent: name, see `metalocus list agents`.
        steps: environment steps, such as 1e6 or 2_000_000.
        seed: of weights, actions and tasks; 0 if left out.
        seeds: several, such as 0-9 or 0,3,5: a run each, a process a core.
        n_envs: environments stepped together; if left out, what suits the agent.
        device: cpu or cuda.
        out: folder of runs; a finished run is not repeated, an unfinished one continued.
        trainer: how, see `metalocus list trainers`; rl is reinforcement learning.
        agent_kwargs: of the agent's network, such as hidden_size=32 n_layers=2 critic=separate
            net_arch=[64,64]; `metalocus show AGENT` lists them with their defaults.
        train_kwargs: of the trainer, such as learning_rate=1e-3 gamma=.9 ent_coef=.01 n_epochs=2;
            a number in place of a schedule is constant; `metalocus show TRAINER` lists them.
            With start=RUN training begins with the weights of a finished run.
    """
    import torch

    from metalocus.envs import Setting
    from metalocus.experiments.display import Stage, hush
    from metalocus.experiments.runs.config import RunConfig
    from metalocus.experiments.sweeps.sweep import sweep as make_all
    from metalocus.experiments.training.train import train as make

    hush(quiet)
    torch.set_num_threads(1)  # as in a sweep, whatever the environment says: more give other bits
    if seed is not None and seeds is not None:
        raise WrongUse("--seed and --seeds say the same; give one of them")
    config = RunConfig.suited(
        Setting(env, **keywords(env_kwargs)),
        *(agent, steps, seed or 0, device),
        keywords(agent_kwargs, "--agent-kwargs"),
        keywords(train_kwargs, "--train-kwargs"),
        trainer,
    )
    if n_envs is not None:
        config = replace(config, n_envs=n_envs)
    if seeds is not None:
        configs = [replace(config, seed=each) for each in seeds_of(seeds)]
        with on_executor(executor, address):
            print(*make_all(configs, out).values(), sep="\n")
        return
    if executor != "local" or address is not None:
        raise WrongUse("one run is made here; --executor and --address go with --seeds")
    with Stage("training", steps, "steps") as stage:
        folder = make(config, out, lambda now: stage.advance(now.steps, str(now)))
    print(folder)


def runs(folder: Positional[Path], json: Json = False) -> None:
    """List the runs in a folder with settings, steps and last score; takes seconds.

    Example: metalocus runs debate

    Args:
        folder: of runs, or of a debate or a comparison.
    """
    from metalocus.experiments.cli.tables import runs_table
    from metalocus.experiments.runs.listing import list_runs

    found = list_runs(folder)
    print_json(found) if json else runs_table(found)


def tensorboard(folder: Positional[Path], out: Path | None = None) -> None:
    """Make a folder in which TensorBoard shows runs by title.

    It holds links to the runs, and for every setting with several seeds their mean, with the lowest
    and the highest seed as a band. Takes seconds.

    Example: metalocus tensorboard runs

    Args:
        folder: of runs, or of a debate or a comparison.
        out: the folder to make; FOLDER-tensorboard if left out. Made again, it is renewed.
    """
    from metalocus.experiments.training.board import write_board

    board = out or folder.absolute().with_name(f"{folder.absolute().name}-tensorboard")
    made = write_board(folder, board)
    print(*(path.name for path in made), sep="\n")
    print(f"\ntensorboard --logdir {shlex.quote(os.path.relpath(board))}")
