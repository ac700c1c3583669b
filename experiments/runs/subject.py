"""What is measured: a run, a model of SB3's family in a zip, or an agent that needs no training."""

from __future__ import annotations

import difflib
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metalocus.agents.agent import Agent
from metalocus.agents.catalogue import CONTROLS, ONLINE, REFERENCES, make_named
from metalocus.agents.ppo.algorithm import SequencePPO
from metalocus.agents.replicas.agent import OnlineAgent
from metalocus.agents.trained.foreign import ALGORITHMS, load_foreign
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.envs import InvalidTask, Setting
from metalocus.envs.discovery import unknown
from metalocus.envs.sb3 import BatchVecEnv
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.folders.folder import NotARun
from metalocus.experiments.folders.places import found
from metalocus.experiments.runs.load import load_agent
from metalocus.experiments.runs.named import title_of
from metalocus.experiments.runs.records import load_manifest

OWN = SequencePPO.__name__
EXPORTED = "metalocus.json"
"""What an exported run says of itself, beside what SB3 writes."""


@dataclass(frozen=True)
class Subject:
    """An agent, and what it is measured on.

    Attributes:
        agent: to be measured.
        setting: the task distribution: for a trained agent all of it, not the fixed tasks alone
            that it was trained on.
        name: of the agent: a trainable's, an algorithm's, or its own.
        title: agent and task for people.
        folder: of the run, None if it is none.
    """

    agent: Agent
    setting: Setting
    name: str
    title: str
    folder: Path | None = None

    @property
    def recorded(self) -> Mapping[str, Any]:
        """What a finished run records of itself; empty of what is no run."""
        return {} if self.folder is None else load_manifest(self.folder)

    @property
    def called(self) -> str:
        """The name; of an imported run the class that trained it too."""
        algo = self.recorded.get("algo")
        return self.name if algo is None else f"{algo} ({self.name})"

    @property
    def parameters(self) -> int:
        """How many trained numbers the agent has."""
        return sum(array.size for array in self.agent.parameters().values())


def find_subject(
    what: str | Path,
    setting: Setting | None = None,
    algo: str | None = None,
    policy: str | None = None,
    policy_kwargs: Mapping[str, Any] | None = None,
) -> Subject:
    """The agent that a person names, and what it is measured on.

    Args:
        what: a run directory; of many replicas the first is measured; a zip that
            ``SequencePPO.save`` or the ``save`` of one of
            :data:`~metalocus.agents.trained.foreign.ALGORITHMS` wrote; or the name of a
            reference, an online rule or a control. What is there as a file or folder is that.
        setting: what a zip was trained on, or a named agent plays; a run knows its own.
        algo: name of the class that wrote the zip.
        policy: name of the zip's policy, if it is not the usual one of the algorithm.
        policy_kwargs: the policy's arguments, if the zip does not tell them.

    Raises:
        WrongUse: something is missing, or does not belong to what is named.
        InvalidTask: there is no such environment, algorithm or policy, or the agent cannot play.
        NotARun: there is nothing of that name, or no finished run in the folder.
        Corrupt: a file is damaged or does not fit.
        NonFinite: a weight is not finite.
    """
    path, of_zip = found(Path(what)), (algo, policy, policy_kwargs) != (None, None, None)
    if path.is_file():
        return _of_zip(path, setting, algo, policy, policy_kwargs)
    if of_zip:
        raise WrongUse(f"--algo, --policy and --policy-kwargs are of a zip; {what} is no file")
    if path.exists() or str(what) not in {*REFERENCES, *ONLINE, *CONTROLS}:
        return _of_run(path, setting)
    if setting is None:
        raise WrongUse(f"{what} plays any environment that suits it; name one with --env")
    agent = make_named(str(what), setting.family)
    setting.episodes()  # whose arguments are more than the family's
    return Subject(agent, setting, str(what), f"{what} · {title_of(setting)}")


def _of_run(folder: Path, setting: Setting | None) -> Subject:
    if not folder.exists():
        near = difflib.get_close_matches(str(folder), [*REFERENCES, *ONLINE, *CONTROLS], n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "; see `metalocus list`"
        raise NotARun(
            f"{folder} is not a run directory, a zip, or the name of a reference, an online rule"
            f" or a control{hint}"
        )
    if setting is not None:
        raise WrongUse(f"{folder} is a run, measured on its own environment; leave out --env")
    agent, config = load_agent(folder)
    if isinstance(agent, OnlineAgent):  # a probe exchanges stores, which takes one network
        agent = agent.only(0)
    return Subject(agent, config.setting.whole(), config.agent, config.title, folder)


def _of_zip(
    path: Path,
    setting: Setting | None,
    algo: str | None,
    policy: str | None,
    policy_kwargs: Mapping[str, Any] | None,
) -> Subject:
    known = (OWN, *ALGORITHMS)
    if algo is None and _was_exported(path):
        raise WrongUse(f"{path} is an exported run; `metalocus import {path}` makes it a run again")
    if algo is None or setting is None:
        missing = " and ".join(
            f"{option} ({meaning})"
            for option, meaning, value in (
                ("--algo", f"one of {', '.join(known)}", algo),
                ("--env", "what it was trained on", setting),
            )
            if value is None
        )
        raise WrongUse(f"{path} does not tell how it was made; add {missing}")
    if algo not in known:
        raise InvalidTask(unknown("algorithm", algo, known))
    if algo == OWN:
        if policy is not None:
            raise WrongUse(f"{OWN} has one policy; leave out --policy")
        agent: Agent = load_own(path, setting, policy_kwargs)
    else:
        agent = load_foreign(path, algo, setting, policy, policy_kwargs)
    whole = setting.whole()
    return Subject(agent, whole, algo, f"{algo} ({path.name}) · {title_of(whole)}")


def _was_exported(path: Path) -> bool:
    """Whether a file is a zip that ``metalocus export`` wrote."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return EXPORTED in archive.namelist()


def load_own(
    path: Path, setting: Setting, policy_kwargs: Mapping[str, Any] | None = None
) -> TrainedAgent:
    """The agent of a zip that ``SequencePPO.save`` wrote; nothing in it is unpickled.

    See :func:`load_own_model`.
    """
    return TrainedAgent(load_own_model(path, setting, policy_kwargs).policy, setting.layout)


def load_own_model(
    path: Path, setting: Setting, policy_kwargs: Mapping[str, Any] | None = None
) -> SequencePPO:
    """The model of a zip that ``SequencePPO.save`` wrote; nothing in it is unpickled.

    Args:
        path: the zip.
        setting: what it was trained on.
        policy_kwargs: the policy's arguments, if they hold more than JSON can.

    Raises:
        InvalidTask: there is no such environment.
        Corrupt: the file is no such zip, or does not fit the setting.
        WrongUse: the policy's arguments are not in the file and were not given.
    """
    env = BatchVecEnv(setting.env, 1, **setting.kwargs)
    given: dict[str, Any] = {} if policy_kwargs is None else {"policy_kwargs": dict(policy_kwargs)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of schedules, which play no part in acting
        try:
            return SequencePPO.load(path, env, **given)
        except ValueError as error:
            if str(error).startswith("policy_kwargs"):
                raise WrongUse(f"{path}: {error}: --policy-kwargs") from None
            raise
