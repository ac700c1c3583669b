"""A probe on a trained run: as it was trained, rewritten, or with its weights updating."""

from __future__ import annotations

from pathlib import Path

from metalocus.agents.agent import Agent
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.agents.trained.rewritten import RewrittenAgent
from metalocus.agents.trained.test_time import UpdatingAgent
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.probes.base import PROBES, Result
from metalocus.experiments.runs.load import load_agent


def measure(
    run: Path,
    probe: str,
    episodes: int = 4000,
    seed: int = 0,
    rewritten: bool = False,
    rate: float | None = None,
) -> Result:
    """What a probe finds on a run, on fresh episodes from the whole task distribution.

    Args:
        run: a finished run's folder.
        probe: its name.
        episodes: fresh episodes.
        seed: of the episodes.
        rewritten: measure the :class:`RewrittenAgent` of the trained policy.
        rate: measure the :class:`UpdatingAgent` of the trained policy, at this rate.

    Raises:
        WrongUse: there is no such probe, or both forms are asked for at once.
        InvalidTask: a number is out of range, the policy has no such form, or the probe has no
            answer on the run's task.
        NotARun: as :func:`metalocus.experiments.runs.load.load_agent`.
        Corrupt: as :func:`metalocus.experiments.runs.load.load_agent`.
        NonFinite: a weight, or a number on the way, is not finite.
    """
    if probe not in PROBES:
        raise WrongUse(f"unknown probe {probe!r}; choose from {', '.join(PROBES)}")
    if rewritten and rate is not None:
        raise WrongUse("--rewritten and --rate are two agents; leave out one of them")
    trained, config = load_agent(run)
    agent, form = _form(trained, rewritten, rate)
    found = PROBES[probe]().run(agent, config.setting.whole(), episodes, seed)
    return {"agent": config.agent + form, **found}


def _form(agent: TrainedAgent, rewritten: bool, rate: float | None) -> tuple[Agent, str]:
    """The agent in the form asked for, and what to add to its name."""
    if rewritten:
        return RewrittenAgent(agent.policy, agent.layout), ", rewritten"
    if rate is not None:
        return UpdatingAgent(agent.policy, agent.layout, rate), f", updating at rate {rate:g}"
    return agent, ""
