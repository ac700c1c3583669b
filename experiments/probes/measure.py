"""A probe on an agent: as it is, rewritten, or with its weights updating."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Any

from metalocus.agents.agent import Agent
from metalocus.agents.ppo.settings import require_known
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.agents.trained.rewritten import RewrittenAgent
from metalocus.agents.trained.test_time import UpdatingAgent
from metalocus.envs import Setting
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.probes.base import PROBES, Result
from metalocus.experiments.runs.subject import Subject, find_subject


def measure(
    subject: Subject,
    probe: str,
    episodes: int = 4000,
    seed: int = 0,
    rewritten: bool = False,
    rate: float | None = None,
    probe_kwargs: Mapping[str, Any] | None = None,
) -> Result:
    """What a probe finds on fresh episodes.

    Args:
        subject: what is measured, see :func:`~metalocus.experiments.runs.subject.find_subject`.
        probe: its name.
        episodes: fresh episodes.
        seed: of the episodes.
        rewritten: measure the :class:`RewrittenAgent` of the trained policy.
        rate: measure the :class:`UpdatingAgent` of the trained policy, at this rate.
        probe_kwargs: arguments of the probe.

    Raises:
        WrongUse: both forms are asked for at once, or the agent is no trained one of ours.
        InvalidTask: there is no such probe or argument of it, a number is out of range, the
            policy has no such form, or the probe has no answer on the task.
        NonFinite: a weight, or a number on the way, is not finite.
    """
    kind, kwargs = PROBES.find(probe), probe_kwargs or {}
    require_known(f"argument of {probe}", kwargs, signature(kind).parameters)
    chosen = kind(**kwargs)
    if rewritten and rate is not None:
        raise WrongUse("--rewritten and --rate are two agents; leave out one of them")
    agent, form = _form(subject, rewritten, rate)
    found = chosen.run(agent, subject.setting, episodes, seed)
    return {"agent": subject.name + form, "title": subject.title + form, **found}


def companions(names: Sequence[str], setting: Setting) -> list[Agent]:
    """Further agents of a setting, for a probe that compares several.

    Args:
        names: run directories, or names of references, online rules and controls.
        setting: of the first agent.

    Raises:
        WrongUse: a run is of another setting.
        InvalidTask: there is no such agent, or it cannot play.
        NotARun: as :func:`~metalocus.experiments.runs.subject.find_subject`.
        Corrupt: as there.
    """
    found = []
    for name in names:
        other = find_subject(name, None if Path(name).exists() else setting)
        if other.setting != setting:
            raise WrongUse(f"{name} is of {other.setting}, the first agent of {setting}")
        found.append(other.agent)
    return found


def _form(subject: Subject, rewritten: bool, rate: float | None) -> tuple[Agent, str]:
    """The agent in the form asked for, and what to add to its name."""
    agent = subject.agent
    if not rewritten and rate is None:
        return agent, ""
    if not isinstance(agent, TrainedAgent):
        raise WrongUse(f"--rewritten and --rate are of trained runs; {subject.name} is none")
    if rewritten:
        return RewrittenAgent(agent.policy, agent.layout), ", rewritten"
    assert rate is not None
    return UpdatingAgent(agent.policy, agent.layout, rate), f", updating at rate {rate:g}"
