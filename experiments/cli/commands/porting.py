"""Runs to and from the zip files of Stable-Baselines3."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from metalocus.experiments.cli.options import EnvKwargs
from metalocus.experiments.cli.texts import keywords
from metalocus.experiments.errors import WrongUse


def export(run: Positional[Path], sb3: Path) -> None:
    """Write a run as an SB3 zip, for `SequencePPO.load` and other tools; takes seconds.

    Example: metalocus export RUN --sb3 model.zip

    Args:
        run: a run directory.
        sb3: the file to write; an existing one is not overwritten.
    """
    from metalocus.experiments.cli.outputs import require_new
    from metalocus.experiments.porting.exchange import export_run

    require_new(sb3, "--sb3")
    export_run(run, sb3)
    print(sb3)


def import_(
    file: Positional[Path],
    algo: Literal["SequencePPO", "RecurrentPPO"] | None = None,
    env: str | None = None,
    env_kwargs: EnvKwargs = (),
    out: Path = Path("runs"),
) -> None:
    """Make a run directory of a zip; nothing in it is unpickled; takes seconds.

    Example: metalocus import model.zip --algo RecurrentPPO --env metalocus/BernoulliBandit-v0

    Args:
        file: written by `metalocus export`; or, with --algo and --env, by `save` of SequencePPO, or
            of sb3-contrib's RecurrentPPO, whose LSTM becomes that of the agent lstm.
        algo: the class whose `save` wrote the file; left out for one of `metalocus export`.
        env: id: what the model was trained on.
        out: folder of runs.
    """
    from metalocus.envs import Setting
    from metalocus.experiments.porting.adopt import adopt
    from metalocus.experiments.porting.exchange import import_run

    if (algo is None) != (env is None) or (env is None and env_kwargs):
        raise WrongUse("--algo and --env go together: what wrote the zip, and its task")
    if algo is None or env is None:
        print(import_run(file, out))
    else:
        print(adopt(file, out, algo, Setting(env, **keywords(env_kwargs))))
