"""No latent reaches an agent through the first observation, unless the family says that one does.

A decoder is trained to tell the best action from what is seen before the first choice. The
unit is the episode: those that it is tested on are not among those that it was trained on.
"""

import numpy as np
import pytest
from scipy import stats
from sklearn.kernel_ridge import KernelRidge

from metalocus.envs import make_episodes, make_family
from metalocus.envs.common_random_numbers import seed_keys
from metalocus.envs.layout import PARTS

TRAINED, TESTED = 1500, 1500
ALARM = 5.0
"""Standard deviations of chance: sound families pass all of 200 tests but once in 10,000."""


def pairs(env_id, seed=0, **kwargs):
    """First observations [n, D] and best actions [n], of the episodes that have one best."""
    episodes = make_episodes(env_id, seed_keys(seed, TRAINED + TESTED), observe=PARTS, **kwargs)
    privileged_value = episodes.privileged_value()
    best = privileged_value >= privileged_value.max(axis=1, keepdims=True) - 1e-9
    one = best.sum(axis=1) == 1
    return episodes.observation()[one], best[one].argmax(axis=1)


def decoded(seen, best):
    """How far a decoder gets above chance on the latter half, in chance's standard deviations.

    Kernel ridge regression, mostly on products of three numbers, as evidence may lie in what
    goes together with what: the side of an example, its label, and the query.
    """
    seen = seen[:, (seen != seen[:1]).any(axis=0)]
    n = len(seen) // 2
    if not seen.size or len(np.unique(best[:n])) < 2:
        return 0.0
    seen = seen - seen[:n].mean(axis=0)
    overlap = seen @ seen[:n].T / (seen[:n] ** 2).sum(axis=1).mean() + 0.01
    kernel = overlap * overlap * overlap  # a power would take most of the time
    decoder = KernelRidge(alpha=0.1, kernel="precomputed")
    answers = (best[:n, None] == np.arange(best.max() + 1)).astype(kernel.dtype)
    decoder.fit(kernel[:n], answers)
    return above_chance(decoder.predict(kernel[n:]).argmax(axis=1), best[n:])


def above_chance(guess, best):
    """Hits beyond those of shuffled answers, in standard deviations of the shuffling.

    The variance is that of Hoeffding 1951, "A combinatorial central limit theorem".
    """
    n, k = len(best), max(guess.max(), best.max()) + 1
    guesses, answers = np.bincount(guess, minlength=k), np.bincount(best, minlength=k)
    hit = np.eye(k)
    centred = hit - answers[:, None] / n - guesses / n + guesses @ answers / n**2
    variance = (guesses[:, None] * answers * centred**2).sum() / (n - 1)
    hits = (guess == best).sum() - guesses @ answers / n
    return hits / np.sqrt(variance) if variance > 0 else 0.0


def test_the_best_action_can_be_decoded_if_and_only_if_the_family_says_so(example):
    env_id, kwargs = example
    found = decoded(*pairs(env_id, **kwargs))
    assert (found > ALARM) == make_family(env_id, **kwargs).telling


@pytest.mark.parametrize("name", ["BernoulliBandit-v0", "LinearBandit-v0"])
def test_a_leak_would_be_found(name):
    """The best action as a number under noise of its own size, beside what is seen."""
    seen, best = pairs(f"metalocus/{name}")
    noise = np.random.default_rng(0).normal(size=len(best))
    leaky = np.column_stack([seen, best + noise])
    assert decoded(leaky, best) > ALARM
    assert decoded(leaky, np.random.default_rng(1).permutation(best)) < ALARM


def test_chance_is_standard_normal():
    """Kolmogorov-Smirnov over 1000 shuffles, three unequal classes: rate 1e-4."""
    rng = np.random.default_rng(0)
    guess, best = rng.choice(3, 4000, p=[0.6, 0.3, 0.1]), rng.choice(3, 4000, p=[0.2, 0.2, 0.6])
    found = [above_chance(guess, rng.permutation(best)) for _ in range(1000)]
    assert stats.kstest(found, "norm").pvalue > 1e-4
    assert above_chance(best, best) > 50
    assert above_chance(np.zeros(4000, int), best) == 0.0
