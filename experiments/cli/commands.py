"""The commands of ``metalocus``, one function each; heavy imports wait until they are needed."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tyro.conf import Positional

from metalocus.experiments.cli.options import (
    Address,
    AgentOrRun,
    Algo,
    AskedAgent,
    AskedAgentKwargs,
    AskedClaims,
    AskedSetting,
    DebateFolder,
    EnvKwargs,
    Episodes,
    EpisodesSeed,
    ExecutorName,
    ItsEnv,
    Json,
    PresetName,
    Quiet,
    Workers,
    ZipPolicy,
    ZipPolicyKwargs,
)
from metalocus.experiments.cli.texts import Steps, Texts, keywords, print_json, seeds_of
from metalocus.experiments.errors import WrongUse

if TYPE_CHECKING:
    from metalocus.experiments.runs.named import NamedSetting
    from metalocus.experiments.runs.subject import Subject

Kind = Literal["envs", "agents", "trainers", "references", "probes", "claims", "replications"]


def debate(
    preset: PresetName = "quick",
    claims: AskedClaims = (),
    agent: AskedAgent = None,
    agent_kwargs: AskedAgentKwargs = (),
    setting: AskedSetting = (),
    seeds: int | None = None,
    out: DebateFolder = Path("debate"),
    shipped: bool = False,
    json: Json = False,
    quiet: Quiet = False,
    executor: ExecutorName = "local",
    address: Address = None,
) -> None:
    """Train, probe, judge the claims and write report.html; the main job.

    Preset quick takes about ten minutes on two quiet cores.

    Example: metalocus debate --preset smoke --out trial

    Args:
        seeds: the first so many of the preset's training seeds; more can be added later.
        shipped: run nothing; show the full run that comes with the package, in shipped.html.
    """
    from metalocus.experiments.cli.tables import verdict_table
    from metalocus.experiments.debate.main import run_debate
    from metalocus.experiments.display import hush

    hush(quiet)
    own = keywords(agent_kwargs, "--agent-kwargs")
    if shipped:
        found, page = _shipped(
            out, preset != "quick" or bool(claims or agent or setting or own or seeds)
        )
    else:
        with _on(executor, address):
            found = run_debate(preset, out, agent, _setting(setting), own, claims, seeds)
        page = out / "report.html"
    if json:
        print_json(found)
        return
    verdict_table(found)
    print(f"\nreport: {page}")
    if not shipped:
        print(f"TensorBoard: tensorboard --logdir {out / 'runs'}")


def _shipped(out: Path, asks: bool) -> tuple[dict[str, Any], Path]:
    """The debate that comes with the package, and its page, written into a folder."""
    from metalocus.experiments.debate.report import write_shipped
    from metalocus.experiments.folders.lease import require_writable

    if asks:
        raise WrongUse("--shipped runs nothing; leave preset, claims, agent and setting out")
    require_writable(out)
    return write_shipped(out)


def list_(kind: Positional[Kind | None] = None, json: Json = False) -> None:
    """Show what there is, with one line on each; takes seconds.

    Example: metalocus list envs

    Args:
        kind: one kind alone; all kinds if left out.
    """
    from metalocus.experiments.cli.inventory import inventory, listing

    found = inventory(None if kind is None else [kind])
    if json:
        print_json(found if kind is None else found[kind])
        return
    for name, entries in found.items():
        print("\n".join(listing(name, entries)))


def show(name: Positional[str]) -> None:
    """Print the page of whatever is listed; takes seconds.

    Example: metalocus show lstm

    Args:
        name: see `metalocus list`.
    """
    from metalocus.experiments.cli.inventory import described

    print(described(name))


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
        with _on(executor, address):
            print(*make_all(configs, out).values(), sep="\n")
        return
    if executor != "local" or address is not None:
        raise WrongUse("one run is made here; --executor and --address go with --seeds")
    with Stage("training", steps, "steps") as stage:
        folder = make(config, out, lambda now: stage.advance(now.steps, str(now)))
    print(folder)


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
    from metalocus.experiments.sweeps.order import Limits
    from metalocus.experiments.sweeps.plan import shard_of

    hush(quiet)
    limits = Limits(None if time_limit is None else 60 * time_limit, memory_limit)
    with _on(executor, address, workers):
        found = run_sweep(file, out, limits, shard_of(shard))
    print_json(found) if json else print("\n".join(sweep_lines(found)))


def status(folder: Positional[Path], json: Json = False) -> None:
    """How far the sweeps in a folder are, from any machine.

    Reads what the sweeps have written of themselves, not the runs: takes seconds. A damaged run is
    found by `metalocus runs` or by the sweep's own command.

    Example: metalocus status runs

    Args:
        folder: of runs, or of a debate or a comparison.
    """
    from metalocus.experiments.cli.sweep_tables import status_lines
    from metalocus.experiments.sweeps.status import status as read

    found = read(folder)
    print_json(found.to_dict()) if json else print("\n".join(status_lines(found)))


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


def _on(
    name: str, address: str | None = None, workers: int | None = None
) -> AbstractContextManager[None]:
    """A context in which work is done by an executor."""
    from metalocus.experiments.sweeps.executors.chosen import executed_by, executor_called

    return executed_by(executor_called(name, address, workers))


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
    from metalocus.experiments.scoring.returns import mean_returns

    hush(quiet)
    if out is not None:
        require_new(out, "--out")
    if env is None and env_kwargs:
        raise WrongUse("--env-kwargs are of one environment; name it with --env")
    setting = None if env is None else Setting(env, **keywords(env_kwargs))
    found = mean_returns(setting, policy, episodes, seed)
    if out is not None:
        write_page(out, return_page(found))
    if json:
        print_json(found[0] if env is not None and policy is not None else found)
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
) -> None:
    """An agent beside every reference on the same episodes.

    Takes seconds to minutes, most of them for the references.

    Example: metalocus evaluate RUN
    """
    from metalocus.experiments.cli.tables import evaluation_table
    from metalocus.experiments.display import Stage
    from metalocus.experiments.scoring.chunks import watched
    from metalocus.experiments.scoring.evaluate import evaluate as measure

    subject = _subject(what, env, env_kwargs, algo, policy, policy_kwargs)
    with Stage("evaluating", None, "episodes played") as stage, watched(stage.count):
        found = measure(subject, episodes, seed)
    print_json(found) if json else evaluation_table(found)


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
    from metalocus.experiments.display import Stage
    from metalocus.experiments.probes.measure import companions, measure
    from metalocus.experiments.probes.output import output_files, write_output, write_tensorboard
    from metalocus.experiments.scoring.chunks import watched

    for path in [] if out is None else output_files(out, probe):
        require_new(path, "--out")
    subject = _subject(what, env, env_kwargs, algo, policy, policy_kwargs)
    kwargs = keywords(probe_kwargs, "--probe-kwargs")
    if others:
        kwargs = {**kwargs, "others": companions(others, subject.setting)}
    with Stage(probe, None, "episodes played") as stage, watched(stage.count):
        found = measure(subject, probe, episodes, seed, rewritten, rate, kwargs)
    print_json(found) if json else probe_tables(found)
    if out is None:
        return
    written = write_output(out, found)
    if subject.folder is not None:
        write_tensorboard(subject.folder, found)
    if not json:
        print(*written, sep="\n")


def _subject(
    what: str,
    env: str | None,
    env_kwargs: Texts,
    algo: str | None,
    policy: str | None,
    policy_kwargs: Texts,
) -> Subject:
    """What is named on the command line, as an agent with its setting."""
    from metalocus.envs import Setting
    from metalocus.experiments.runs.subject import find_subject

    if env is None and env_kwargs:
        raise WrongUse("--env-kwargs are of one environment; name it with --env")
    setting = None if env is None else Setting(env, **keywords(env_kwargs))
    given = keywords(policy_kwargs, "--policy-kwargs") if policy_kwargs else None
    return find_subject(what, setting, algo, policy, given)


def claim(
    name: Positional[str],
    preset: PresetName = "quick",
    agent: AskedAgent = None,
    agent_kwargs: AskedAgentKwargs = (),
    setting: AskedSetting = (),
    out: DebateFolder = Path("debate"),
    json: Json = False,
    quiet: Quiet = False,
    executor: ExecutorName = "local",
    address: Address = None,
) -> None:
    """Train, probe and judge a single claim of the debate; minutes with preset quick.

    Example: metalocus claim emergence --preset full

    Args:
        name: of the claim, or its number; see `metalocus list claims`.
    """
    from metalocus.experiments.cli.tables import verdict_table
    from metalocus.experiments.debate.main import run_claim
    from metalocus.experiments.display import hush

    hush(quiet)
    own = keywords(agent_kwargs, "--agent-kwargs")
    with _on(executor, address):
        found = run_claim(name, preset, out, agent, _setting(setting), own)
    print_json(found) if json else verdict_table({"verdicts": [found], "preset": {"name": preset}})


def _setting(words: Texts) -> NamedSetting | None:
    """The setting of a question: a short name, or an id and arguments; None for no words."""
    from metalocus.experiments.runs.named import setting_called

    return setting_called(words[0], **keywords(words[1:], "--setting")) if words else None


def compare(
    preset: str = "quick",
    agents: Texts = (),
    tasks: Texts = (),
    out: Path = Path("compare"),
    page: Path | None = None,
    json: Json = False,
    quiet: Quiet = False,
    executor: ExecutorName = "local",
    address: Address = None,
) -> None:
    """Every agent on every kind of task, beside references.

    Preset quick takes two hours on two cores.

    Example: metalocus compare --agents lstm maml wsls --tasks five_arms

    Args:
        preset: quick (three seeds, 2 or 4 million steps each: hours), full, smoke (does it run?).
        agents: names; if left out, all that are trained or learn online, and the references.
        tasks: of bandit, five_arms, reversal, rules, binding, dataset; all if left out.
        out: folder for runs and measurements; started again, it goes on where it was.
        page: write the table to this Markdown file, which must not exist.
    """
    from metalocus.experiments.cli.outputs import require_new, write_page
    from metalocus.experiments.comparison.compare import compare as measure
    from metalocus.experiments.comparison.page import comparison_page
    from metalocus.experiments.display import hush

    hush(quiet)
    if page is not None:
        require_new(page, "--page")
    with _on(executor, address):
        found = measure(preset, out, agents or None, tasks or None)
    text = comparison_page(found)
    if page is not None:
        write_page(page, text)
    print_json(found) if json else print(page or text)


def replicate(
    name: Positional[str | None] = None,
    size: Literal["smoke", "quick", "full"] = "quick",
    parts: Texts = (),
    out: Path = Path("replicate"),
    page: Path | None = None,
    json: Json = False,
    quiet: Quiet = False,
    executor: ExecutorName = "local",
    address: Address = None,
) -> None:
    """Run a published result again: train, measure, set ours beside theirs; minutes to days.

    What each part costs stands on the page, in CPU minutes a seed at full size.

    Example: metalocus replicate rl2_bandits --parts references-n10-k5 trained-n10-k5

    Args:
        name: of the replication, see `metalocus list replications`; none with --page alone.
        size: smoke (does it run?), quick (one seed, an eighth of the steps), or full (three seeds).
        parts: some of its parts; all if left out. What was run before at this size is kept.
        out: folder for runs and results (JSON, Parquet, PNG, SVG); it goes on where it was.
        page: write what the folder holds of all replications to this Markdown file, which must not
            exist.
    """
    from metalocus.experiments.cli.outputs import require_new, write_page
    from metalocus.experiments.display import hush
    from metalocus.experiments.replications.output import write_output
    from metalocus.experiments.replications.page import lines_of, replications_page
    from metalocus.experiments.replications.replicate import replicate as run

    hush(quiet)
    if name is None and (page is None or parts):
        raise WrongUse("name a replication (`metalocus list replications`), or give --page alone")
    if page is not None:
        require_new(page, "--page")
    if name is not None:
        with _on(executor, address):
            found = run(name, size, out, parts or None)
        written = write_output(out, found)
        if json:
            print_json(found)
        else:
            print("\n".join(lines_of(found)), *written, sep="\n")
    if page is not None:
        write_page(page, replications_page(out))
        if not json:
            print(page)


def survey(
    what: Positional[Texts],
    agents: Texts = (),
    episodes: int = 1000,
    out: Path = Path("survey"),
    page: Path | None = None,
    intro: Path | None = None,
    quiet: Quiet = False,
) -> None:
    """Every probe on many runs: what each found, on a page.

    A run takes one to three CPU minutes for 1,000 episodes of 100 trials, a transformer most.

    Example: metalocus survey runs/* --agents bayes_optimal delta_rule --page found.md

    Args:
        what: run directories.
        agents: names of references and online rules, which are probed on the same tasks.
        episodes: fresh episodes to play for each measurement.
        out: folder of findings; what is there already is not measured again.
        page: write the findings to this Markdown file, which must not exist.
        intro: a Markdown file whose text stands at the top of the page.
    """
    from metalocus.experiments.cli.outputs import read_text, require_new, write_page
    from metalocus.experiments.display import hush
    from metalocus.experiments.survey.page import survey_page
    from metalocus.experiments.survey.survey import survey as measure

    hush(quiet)
    if page is not None:
        require_new(page, "--page")
    top = "" if intro is None else read_text(intro, "--intro")
    runs = [Path(each) for each in what]
    text = survey_page(measure(runs, agents, episodes, out), top)
    if page is not None:
        write_page(page, text)
    print(page or text)


def calibrate(
    replications: int = 200,
    out: Path | None = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """How often the probes' 95% intervals hold what is known.

    Effects of known size are measured again and again: 200 times take one and a half CPU minutes,
    on as many cores as there are.

    Example: metalocus calibrate --replications 200 --out calibration.md

    Args:
        replications: of every effect, each on fresh episodes.
        out: write the table to this Markdown file, which must not exist.
    """
    from metalocus.experiments.calibration.calibrate import calibrate as measure
    from metalocus.experiments.calibration.page import as_records, calibration_page
    from metalocus.experiments.calibration.planted import planted
    from metalocus.experiments.cli.outputs import require_new, write_page
    from metalocus.experiments.display import hush

    hush(quiet)
    if out is not None:
        require_new(out, "--out")
    found, seconds = measure(planted(), replications)
    text = calibration_page(found, seconds)
    if out is not None:
        write_page(out, text)
    print_json(as_records(found)) if json else print(out or text)


def report(folder: Positional[Path]) -> None:
    """Write report.html of a debate again, from what was measured; takes seconds.

    Example: metalocus report debate

    Args:
        folder: of the debate.
    """
    from metalocus.experiments.debate.report import write_report

    print(write_report(folder))


def bench(
    what: Positional[Literal["env", "train", "probe"]],
    device: Literal["cpu", "cuda"] = "cpu",
    json: Json = False,
) -> None:
    """Measure speed; training and probes take ten minutes each.

    Example: metalocus bench env

    Args:
        what: environments, training or probes.
        device: to train on.
    """
    from metalocus.experiments.bench.benches import BENCHES

    if device != "cpu" and what != "train":
        raise WrongUse(f"only training is measured on {device}; leave --device out")
    found = BENCHES[what](device) if what == "train" else BENCHES[what]()
    if json:
        print_json(found)
        return
    for row in found:
        print("  ".join(f"{key} {value}" for key, value in row.items()))


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


COMMANDS: dict[str, Callable[..., None]] = {
    "debate": debate,
    "list": list_,
    "show": show,
    "train": train,
    "sweep": sweep,
    "status": status,
    "soak": soak,
    "runs": runs,
    "tensorboard": tensorboard,
    "score": score,
    "evaluate": evaluate,
    "probe": probe,
    "claim": claim,
    "compare": compare,
    "replicate": replicate,
    "survey": survey,
    "calibrate": calibrate,
    "report": report,
    "bench": bench,
    "export": export,
    "import": import_,
}
"""By the name on the command line, in the order in which help shows them."""
