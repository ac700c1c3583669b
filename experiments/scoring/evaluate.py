"""Returns and scores of an agent and of every reference, on the same fresh episodes."""

from __future__ import annotations

from typing import Any

from metalocus.agents.agent import Agent
from metalocus.agents.catalogue import REFERENCES, best_reference
from metalocus.envs.checks import require_seed
from metalocus.experiments.runs.subject import Subject
from metalocus.experiments.scoring.chunks import require_episodes
from metalocus.experiments.scoring.intervals import episode_interval
from metalocus.experiments.scoring.returns import returns


def evaluate(subject: Subject, episodes: int = 10_000, seed: int = 0) -> dict[str, Any]:
    """Mean returns of the frozen agent, sampled and greedy, and of the references.

    Args:
        subject: what is measured, see :func:`~metalocus.experiments.runs.subject.find_subject`.
        episodes: fresh episodes.
        seed: of the episodes.

    Returns:
        What was measured; ``policies``: mean, low and high of each (95%, over episodes) and its
        ``score``, where ``random`` is 0 and ``best``, the best reference, is 1 (None where
        they are equal).

    Raises:
        InvalidTask: a number is out of range.
        NonFinite: a number on the way or a return is not finite.
    """
    episodes, seed = require_episodes(episodes), require_seed("seed", seed)
    agent, setting, own = subject.agent, subject.setting, subject.name
    family = setting.family
    players: dict[str, tuple[Agent, bool]] = {
        own: (agent, False),
        f"{own} (greedy)": (agent, True),
    }
    for name, cls in REFERENCES.items():
        if name != own and cls.why_not(family) is None:
            players[name] = (cls(family), False)
    found = {
        name: episode_interval(returns(player, setting, episodes, seed, greedy=greedy))
        for name, (player, greedy) in players.items()
    }
    best = best_reference(family).name
    chance, ceiling = found["random"][0], found[best][0]
    policies = {}
    for name, (mean, low, high) in found.items():
        score = (mean - chance) / (ceiling - chance) if ceiling != chance else None
        policies[name] = {"mean": mean, "low": low, "high": high, "score": score}
    return {
        "run": None if subject.folder is None else str(subject.folder),
        "agent": own,
        "title": subject.title,
        **setting.to_dict(),
        "episodes": episodes,
        "seed": seed,
        "best": best,
        "parameters": subject.parameters,
        "policies": policies,
    }
