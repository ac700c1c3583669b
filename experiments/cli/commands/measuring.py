"""One agent measured: its return, beside references, by a probe."""

from __future__ import annotations

import shlex
from pathlib import Path

from tyro.conf import Positional

from metalocus.experiments.cli.asked import subject_of
from metalocus.experiments.cli.options import (
    AgentOrRun,
    Algo,
    EnvKwargs,
    Episodes,
    EpisodesSeed,
    ItsEnv,
    Json,
    Quiet,
    ZipPolicy,
    ZipPolicyKwargs,
)
from metalocus.experiments.cli.texts import Texts, keywords, print_json
from metalocus.experiments.errors import WrongUse


def score(
    env: str | None = None,
    policy: str | None = None,
    episodes: Episodes = 10_000,
    seed: EpisodesSeed = 0,
    env_kwargs: EnvKwargs = (),
    out: Path | None = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Mean return of policies that need no training.

    It has a 95% interval. The return is the total reward of an episode. Policies that plan take
    minutes, others seconds.

    Example: metalocus score --env metalocus/ReversalBandit-v0 --policy filter --env-kwargs p=.75

    Args:
        env: id, see `metalocus list envs`; if left out, every environment, with its default
            arguments and its examples.
        policy: a reference, an online learner or a control; if left out, every reference
            that can play.
        out: write the table to this Markdown file, which must not exist.
    """
    from metalocus.envs import Setting
    from metalocus.experiments.cli.outputs import require_new, write_page
    from metalocus.experiments.cli.tables import return_lines, return_page
    from metalocus.experiments.display import hush
    from metalocus.experiments.runs.provenance import each_made_by
    from metalocus.experiments.scoring.returns import mean_returns

    hush(quiet)
    if out is not None:
        require_new(out, "--out")
    if env is None and env_kwargs:
        raise WrongUse("--env-kwargs are of one environment; name it with --env")
    setting = None if env is None else Setting(env, **keywords(env_kwargs))
    found = mean_returns(setting, policy, episodes, seed)
    if out is not None:
        numbers = ["--episodes", str(episodes), "--seed", str(seed)]
        own = [] if env is None else ["--env", env]
        own += [] if policy is None else ["--policy", policy]
        own += ["--env-kwargs", *env_kwargs] if env_kwargs else []
        command = shlex.join(["metalocus", "score", *own, *numbers, "--out", "FILE"])
        write_page(out, return_page(found, command))
    if json:
        rows = each_made_by(found, "metalocus.experiments.scoring.returns")
        print_json(rows[0] if env is not None and policy is not None else rows)
    else:
        print("\n".join(return_lines(found) if out is None else [str(out)]))


def evaluate(
    what: Positional[AgentOrRun],
    episodes: Episodes = 10_000,
    seed: EpisodesSeed = 0,
    env: ItsEnv = None,
    env_kwargs: EnvKwargs = (),
    algo: Algo = None,
    policy: ZipPolicy = None,
    policy_kwargs: ZipPolicyKwargs = (),
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """An agent beside every reference on the same episodes.

    Takes seconds to minutes, most of them for the references.

    Example: metalocus evaluate RUN
    """
    from metalocus.experiments.cli.tables import evaluation_table
    from metalocus.experiments.display import Stage, hush
    from metalocus.experiments.runs.provenance import made_by
    from metalocus.experiments.scoring.chunks import watched
    from metalocus.experiments.scoring.evaluate import evaluate as measure

    hush(quiet)
    subject = subject_of(what, env, env_kwargs, algo, policy, policy_kwargs)
    with Stage("evaluating", None, "episodes played") as stage, watched(stage.count):
        found = measure(subject, episodes, seed)
    if json:
        print_json({**found, "made": made_by("metalocus.experiments.scoring.evaluate")})
    else:
        evaluation_table(found)


def probe(
    what: Positional[AgentOrRun],
    probe: str,
    episodes: Episodes = 4000,
    seed: EpisodesSeed = 0,
    env: ItsEnv = None,
    env_kwargs: EnvKwargs = (),
    algo: Algo = None,
    policy: ZipPolicy = None,
    policy_kwargs: ZipPolicyKwargs = (),
    probe_kwargs: Texts = (),
    others: Texts = (),
    rewritten: bool = False,
    rate: float | None = None,
    out: Path | None = None,
    json: bool = False,
    quiet: Quiet = False,
) -> None:
    """One measurement on an agent: a sentence and a table; takes seconds to minutes.

    Example: metalocus probe RUN --probe locus

    Args:
        probe: name, see `metalocus list probes`.
        probe_kwargs: arguments of the probe, as name=value, such as trials=[1,9] of locus.
        others: for the ensemble probe, more agents of the same task: runs, or names.
        rewritten: measure a recurrent agent rewritten as a feedforward one: what it would
            carry on is written into its weights after every transition.
        rate: let the agent learn on by gradient descent after every transition, at this rate;
            left out, only the freeze probe does, at rates that it chooses on other episodes.
        out: write figure (PNG, SVG), tidy table (Parquet) and everything that was measured (JSON)
            into this folder, and what was found of a run into its TensorBoard.
        json: print everything that was measured, as JSON.
    """
    from metalocus.experiments.cli.outputs import require_new
    from metalocus.experiments.cli.probe_tables import probe_tables
    from metalocus.experiments.display import Stage, hush
    from metalocus.experiments.probes.measure import companions, measure
    from metalocus.experiments.probes.output import output_files, write_output, write_tensorboard
    from metalocus.experiments.scoring.chunks import watched

    hush(quiet)
    for path in [] if out is None else output_files(out, probe):
        require_new(path, "--out")
    subject = subject_of(what, env, env_kwargs, algo, policy, policy_kwargs)
    kwargs = keywords(probe_kwargs, "--probe-kwargs")
    if others:
        kwargs = {**kwargs, "others": companions(others, subject.setting)}
    with Stage(probe, None, "episodes played") as stage, watched(stage.count):
        found = measure(subject, probe, episodes, seed, rewritten, rate, kwargs)
    print_json(found) if json else probe_tables(found)
    if out is None:
        return
    written = write_output(out, found, subject.recorded)
    if subject.folder is not None:
        write_tensorboard(subject.folder, found)
    if not json:
        print(*written, sep="\n")
