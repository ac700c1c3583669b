"""No latent reaches an agent through the first observation, unless the family says that one does.

A decoder is trained to tell the best action from what is seen before the first choice. The
unit is the episode: those that it is tested on are not among those that it was trained on.
"""

import numpy as np
import pytest
from scipy import stats
from sklearn.kernel_ridge import KernelRidge

from metalocus.envs import make_episodes, make_family
from metalocus.envs.common_random_numbers import CommonRandomNumbers, seed_keys
from metalocus.envs.layout import PARTS

MANY = 3000
MORE = (1500, MANY, 2 * MANY)
"""Episodes in which evidence is looked for, if there is said to be some: more until it is found."""
ALARM = 5.0
"""Standard deviations of chance: sound families pass all of 200 tests but once in 10,000."""


def pairs(env_id, n=MANY, **kwargs):
    """First observations [n, D] and best actions [n], of the episodes that have one best."""
    keys = CommonRandomNumbers(seed_keys(0, 1)).bits("episode", index=np.arange(n))
    episodes = make_episodes(env_id, keys, observe=PARTS, **kwargs)
    value = episodes.privileged_value()
    best = value >= value.max(axis=1, keepdims=True) - 1e-9
    one = best.sum(axis=1) == 1
    return episodes.observation()[one], best[one].argmax(axis=1)


def decoded(seen, best):
    """How far a decoder trained on a third does better than chance on the rest, in chance's SDs.

    Kernel ridge regression, mostly on products of three numbers, as evidence may lie in what
    goes together with what: the side of an example, its label, and the query.
    """
    seen = seen[:, (seen != seen[:1]).any(axis=0)]
    n = len(seen) // 3
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


def test_the_best_action_can_be_decoded_if_and_only_if_the_family_says_so(examples, case):
    for env_id, kwargs in examples:
        with case(env_id, kwargs):
            telling = make_family(env_id, **kwargs).telling
            found = (decoded(*pairs(env_id, n, **kwargs)) for n in (MORE if telling else [MANY]))
            assert any(z > ALARM for z in found) == telling


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
