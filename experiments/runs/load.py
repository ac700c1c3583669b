"""A finished run as an agent, and the runs that another is made from."""

from __future__ import annotations

import warnings
from pathlib import Path

from metalocus.agents.agent import Agent
from metalocus.agents.ppo.files import Corrupt, Tensors, read_record, read_tensors
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.envs import InvalidTask
from metalocus.envs.checks import require
from metalocus.experiments.folders.folder import META, WEIGHTS, NotARun
from metalocus.experiments.folders.places import found
from metalocus.experiments.runs.arguments import START
from metalocus.experiments.runs.build import build_policy, fill
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.other_runs import is_run
from metalocus.experiments.runs.records import AGAIN, IDENTITY, load_manifest, read_config
from metalocus.experiments.runs.replicas import ONLINE, replicas_agent


def load_agent(folder: str | Path, results: bool = True) -> tuple[Agent, RunConfig]:
    """The agent of a finished run, frozen or, of replicas, learning on; nothing is unpickled.

    Args and errors as for :func:`load_policy`.
    """
    folder = found(Path(folder))
    tensors, config = _read(folder, results)
    if config.trainer != ONLINE:
        return _frozen(folder, tensors, config), config
    try:
        return replicas_agent(config, tensors), config
    except ValueError as error:
        raise Corrupt(f"{folder / WEIGHTS} does not fit its config ({error}); {AGAIN}") from None


def load_policy(folder: str | Path, results: bool = True) -> tuple[TrainedAgent, RunConfig]:
    """The one policy of a finished run, frozen; nothing is unpickled.

    Warns if the run was made by another version of the source that decides its result.

    Args:
        folder: of the run.
        results: whether the measurements made during training must be whole too.

    Raises:
        NotARun: no finished run is there.
        Corrupt: one of its files is damaged or of another run, or the folder bears the name of
            another run.
        InvalidTask: it is a run of many replicas.
    """
    folder = found(Path(folder))
    tensors, config = _read(folder, results)
    require(config.trainer != ONLINE, f"{folder} holds a network for each environment, no policy")
    return _frozen(folder, tensors, config), config


def _read(folder: Path, results: bool) -> tuple[Tensors, RunConfig]:
    """The tensors and settings of a finished run, all of its files being whole."""
    manifest, config = load_manifest(folder, results), read_config(folder)
    tensors, header = read_tensors(folder / WEIGHTS)
    meta = read_record(folder / META, AGAIN)
    for name, record in ((META, meta), (WEIGHTS, header)):
        for entry in (*IDENTITY, "sha256"):
            if record.get(entry) != manifest[entry]:
                raise Corrupt(f"{folder / name} is of another run; {AGAIN}")
    if manifest["source"] != config.source:
        made = manifest["versions"]["metalocus"]
        warnings.warn(
            f"{folder} was made by other code (metalocus {made}): trained again, it may differ",
            stacklevel=3,
        )
    return tensors, config


def _frozen(folder: Path, tensors: Tensors, config: RunConfig) -> TrainedAgent:
    policy = build_policy(config)
    try:
        fill(policy, tensors)
    except ValueError as error:
        raise Corrupt(f"{folder / WEIGHTS} does not fit its config ({error}); {AGAIN}") from None
    return TrainedAgent(policy, config.setting.layout)


def load_other_runs(config: RunConfig) -> dict[str, TrainedAgent]:
    """The runs that a run is made from, by the argument of training that names each.

    Raises:
        InvalidTask: one is not where it was, is another one than was recorded, or does not fit the
            run.
    """
    others = {}
    for name, kept in config.train_kwargs.items():
        if is_run(kept):
            try:
                agent, other = load_policy(kept["folder"], results=False)
                same = load_manifest(Path(kept["folder"]), False)["sha256"] == kept["sha256"]
            except (NotARun, Corrupt, InvalidTask) as error:
                raise InvalidTask(f"{name}: {error}") from None
            require(same, f"{name}: {kept['folder']} holds another run than {kept['run']}")
            _require_fit(name, agent, other, config)
            others[name] = agent
    return others


def _require_fit(name: str, agent: TrainedAgent, other: RunConfig, config: RunConfig) -> None:
    """Raise :class:`InvalidTask` unless a run can be started from, or imitated by, another."""
    own, theirs = config.setting.family, other.setting.family
    sizes = (own.n_arms, own.stimulus_size), (theirs.n_arms, theirs.stimulus_size)
    differ = f"{name}: {other.title} chooses among {theirs.n_arms} arms and sees"
    differ += f" {theirs.stimulus_size} numbers, not {own.n_arms} and {own.stimulus_size}"
    if name != START:
        require(sizes[0] == sizes[1], differ)
        return
    # weights may fit other tasks too: those of alike_arms do any number of arms
    try:
        fill(build_policy(config), agent.policy.state_dict())
    except ValueError as error:
        require(sizes[0] == sizes[1], differ)
        raise InvalidTask(
            f"{name}: {other.title} is another network ({error}); give this run its agent and"
            " --agent-kwargs"
        ) from None
