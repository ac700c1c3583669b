"""Which strategies there are for a family of tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from metalocus.agents.agent import Array, ReferencePolicy
from metalocus.agents.catalogue import REFERENCES, best_reference
from metalocus.agents.references.bernoulli.index import IndexPolicy
from metalocus.envs import Family
from metalocus.envs.families.rule_switching import RuleSwitching
from metalocus.envs.families.two_step import TwoStep
from metalocus.experiments.strategies.evidence import Evidence
from metalocus.experiments.strategies.filters import Kalman, LatentState, VolatileFilter
from metalocus.experiments.strategies.heuristics import (
    UpperConfidenceBound,
    everywhere,
    posterior_mean,
    recent_winner,
    repeated,
    win_stay_lose_shift,
)
from metalocus.experiments.strategies.learners import (
    Asymmetric,
    Counterfactual,
    Forgetting,
    RescorlaWagner,
    StimulusRescorlaWagner,
)
from metalocus.experiments.strategies.strategy import Constant, Fixed, Random, Strategy, Table
from metalocus.experiments.strategies.two_step import (
    ModelBased,
    ModelFree,
    TwoStepLatentState,
    reward_as_cue,
)

THOMPSON = ("thompson", "gaussian_thompson", "kalman_thompson")
INDEX = ("finite_index", "gittins")
"""Policies of each kind; of these the first is taken that can play."""
MOST_NUMBERS = 64
"""In a stimulus of which every number has values of its own."""


def candidates(family: Family) -> tuple[list[Strategy], dict[str, ReferencePolicy]]:
    """The strategies for a family, and the reference policies that some of them read.

    * On the two-step task strategies of the first choice: Daw's model-free and model-based
      learners, inference of the state that pays, and the four-entry habit.
    * On the card-sorting task strategies of piles, and of the features that may be the rule.
    * Elsewhere strategies of the arms, and where there is a stimulus a value of every arm for it.

    ``bayes`` is the best policy that knows the prior, where it is more than an index; ``index``
    and ``thompson`` are on tasks that have such policies.
    """
    found = [Random(), Table("bias", 1, everywhere), Constant("perseveration", repeated("arms"))]
    found.append(Fixed("wsls", win_stay_lose_shift("arms")))
    if isinstance(family, TwoStep):
        found += [
            ModelFree(),
            ModelBased(family.transitions, family.second_choices),
            TwoStepLatentState(family.transitions),
            Table("reward_as_cue", 4, reward_as_cue),
        ]
    elif isinstance(family, RuleSwitching):
        found += [RescorlaWagner(), Fixed("wsls_features", win_stay_lose_shift("features"))]
        found += _of_objects("features")
    else:
        found += [*_of_objects("arms"), VolatileFilter(), UpperConfidenceBound()]
        found.append(Constant("posterior_mean", posterior_mean))
        if 0 < family.stimulus_size <= MOST_NUMBERS:
            found.append(StimulusRescorlaWagner())
    references = _references(family)
    for name in references:
        read = _read(name)
        fixed = name == "thompson"
        found.append(Fixed(name, _exp(read)) if fixed else Constant(name, read))
    return found, references


def _of_objects(objects: str) -> list[Strategy]:
    """Strategies of arms, or of the features of cards."""
    end = "" if objects == "arms" else f"_{objects}"
    learners = (RescorlaWagner, Asymmetric, Forgetting, Counterfactual, Kalman, LatentState)
    winner = Fixed(f"recent_winner{end}", recent_winner(objects))
    return [winner, *(each(objects) for each in learners)]


def _references(family: Family) -> dict[str, ReferencePolicy]:
    """The policies read on a family, by the strategy's name."""
    found: dict[str, ReferencePolicy] = {}
    for name, policies in (("thompson", THOMPSON), ("index", INDEX)):
        policy = _first(policies, family)
        if policy is not None:
            found[name] = policy
    best = best_reference(family)
    if not best.omniscient and not isinstance(best, IndexPolicy):
        found["bayes"] = best
    return found


def _first(policies: Sequence[str], family: Family) -> ReferencePolicy | None:
    """The first policy that can play a family, None if there is none."""
    for name in policies:
        if REFERENCES[name].why_not(family) is None:
            return REFERENCES[name](family)
    return None


def _read(name: str) -> Callable[[Evidence], Array]:
    """What a reference policy gives at every trial, [T, N, K]."""
    return lambda seen: seen.references[name]


def _exp(read: Callable[[Evidence], Array]) -> Callable[[Evidence], Array]:
    """Probabilities from their logarithms."""
    return lambda seen: np.exp(read(seen))
