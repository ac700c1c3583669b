"""Returns and scores of a trained run and of every reference, on the same fresh episodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from metalocus.agents.agent import Agent
from metalocus.agents.catalogue import REFERENCES, best_reference
from metalocus.envs.checks import require_seed
from metalocus.experiments.runs.load import load_agent
from metalocus.experiments.runs.records import load_manifest
from metalocus.experiments.scoring.chunks import require_episodes
from metalocus.experiments.scoring.intervals import episode_interval
from metalocus.experiments.scoring.returns import returns


def evaluate(run: Path, episodes: int = 10_000, seed: int = 0) -> dict[str, Any]:
    """Mean returns of the frozen agent, sampled and greedy, and of the references.

    Args:
        run: a finished run's folder.
        episodes: fresh episodes from the whole task distribution.
        seed: of the episodes.

    Returns:
        The run; ``policies``: mean, low and high of each (95%, over episodes) and its
        ``score``, where ``random`` is 0 and ``best``, the best reference, is 1 (None where
        they are equal).

    Raises:
        NotARun: as :func:`metalocus.experiments.runs.load.load_agent`.
        Corrupt: as :func:`metalocus.experiments.runs.load.load_agent`.
        InvalidTask: a number is out of range.
        NonFinite: a number on the way or a return is not finite.
    """
    episodes, seed = require_episodes(episodes), require_seed("seed", seed)
    agent, config = load_agent(run)
    setting = config.setting.whole()
    family = setting.family
    players: dict[str, tuple[Agent, bool]] = {
        config.agent: (agent, False),
        f"{config.agent} (greedy)": (agent, True),
    }
    for name, cls in REFERENCES.items():
        if cls.why_not(family) is None:
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
        "run": str(run),
        "agent": config.agent,
        **setting.to_dict(),
        "episodes": episodes,
        "seed": seed,
        "best": best,
        "parameters": load_manifest(run)["parameters"],
        "policies": policies,
    }
