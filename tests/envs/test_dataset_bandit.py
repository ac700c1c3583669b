"""DatasetBandit draws rules and examples as its docstring says, alike in both forms.

Statistical tests use fixed seeds; each would fail sound code with probability 1e-4 at most.
"""

import inspect

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from metalocus.envs import InvalidTask, make_episodes, make_family
from metalocus.envs.common_random_numbers import seed_keys
from metalocus.envs.families.dataset_bandit import nearest

DATASET = "metalocus/DatasetBandit-v0"
FALSE_ALARM = 1e-4
arguments = st.one_of(
    st.fixed_dictionaries({"n_arms": st.integers(2, 4), "n_examples": st.integers(1, 6)}),
    st.fixed_dictionaries(
        {
            "rule": st.sampled_from(["linear", "neighbour"]),
            "features": st.integers(1, 4),
            "n_examples": st.integers(1, 6),
            "noise": st.sampled_from([0.0, 0.3]),
        }
    ),
)


def begin(n, seed=0, **kwargs):
    """n episodes at their first trial."""
    return make_episodes(DATASET, seed_keys(seed, n), **kwargs)


def labels(examples, features):
    """Index of the shown label of every example, [N, M]."""
    return examples[:, :, features:].argmax(axis=2)


@settings(max_examples=25, deadline=None)
@given(kwargs=arguments, again=st.booleans(), shuffled=st.booleans(), seed=st.integers(0, 2**32))
def test_both_forms_are_the_same_task_with_the_same_random_numbers(kwargs, again, shuffled, seed):
    """Read from the observations alone: the same examples, query and rewards of every action."""
    more = {**kwargs, "again": again, "shuffled": shuffled}
    single = begin(4, seed, **more)
    family = single.family
    m, e, q = family.n_examples, family.example_size, family.query_size
    together = single.stimulus()
    for action in range(family.n_arms):
        single, sequence = begin(4, seed, **more), begin(4, seed, sequence=True, **more)
        for one in range(m):
            item = sequence.stimulus()
            np.testing.assert_array_equal(item[:, :-1], together[:, one * e : (one + 1) * e])
            assert not item[:, -1].any()
            assert not sequence.means().any()
            reward, done = sequence.step(np.full(4, one % family.n_arms))
            assert not reward.any()
            assert not done.any()
        for trial in range(1 + again):
            item = sequence.stimulus()
            np.testing.assert_array_equal(item[:, :q], together[:, m * e :])
            assert not item[:, q:-1].any()
            assert item[:, -1].all()
            np.testing.assert_array_equal(sequence.means(), single.means())
            ours, over = sequence.step(np.full(4, action))
            theirs, done = single.step(np.full(4, action))
            np.testing.assert_array_equal(ours, theirs)
            assert over.all() == done.all() == (trial == again)


def test_asked_again_the_evidence_is_gone_and_the_query_stays():
    episodes = begin(5, rule="linear", again=True)
    first = episodes.stimulus()
    episodes.step(np.zeros(5, int))
    second = episodes.stimulus()
    assert not second[:, :-4].any()
    np.testing.assert_array_equal(second[:, -4:], first[:, -4:])
    silent = gym.make_vec(DATASET, 5, again=True, observe=("stimulus", "first"))
    silent.reset(seed=0)
    assert not silent.step(np.zeros(5, int))[0].any()


def test_arms_pay_in_the_examples_as_they_pay_at_the_query():
    episodes = begin(4000, n_arms=3, n_examples=30)
    chances, examples = episodes.latents["chances"], episodes.latents["examples"]
    assert stats.kstest(chances.ravel(), "uniform").pvalue > FALSE_ALARM
    arms = examples[:, :, :3].sum(axis=(0, 1))
    assert arms.sum() == 4000 * 30
    assert stats.chisquare(arms).pvalue > FALSE_ALARM
    pulls = examples[:, :, :3].sum(axis=1)
    wins = np.einsum("nmk,nm->nk", examples[:, :, :3], examples[:, :, 3])
    z = (wins - pulls * chances).sum() / np.sqrt((pulls * chances * (1 - chances)).sum())
    assert abs(z) < 3.9
    bins = np.floor(chances * 10).astype(int)
    for each in range(10):  # also within each tenth of the chances: ten tests, 1e-5 each
        here = bins == each
        variance = (pulls * chances * (1 - chances))[here].sum()
        assert abs((wins - pulls * chances)[here].sum()) < 4.5 * np.sqrt(variance)
    reward, _ = episodes.step(np.full(4000, 2))
    variance = (chances * (1 - chances))[:, 2].sum()
    assert abs((reward - chances[:, 2]).sum()) < 3.9 * np.sqrt(variance)


def test_linear_labels_are_separable_by_a_plane_through_0():
    """A perceptron that is run long enough finds one for the examples and the query."""
    latents = begin(40, rule="linear", features=3, n_examples=12).latents
    inputs, query = latents["examples"][:, :, :3], latents["query"]
    points = np.concatenate([inputs, query[:, None]], axis=1)
    label = np.concatenate(
        [labels(latents["examples"], 3), latents["chances"].argmax(1)[:, None]], 1
    )
    signed = points * (2.0 * label - 1.0)[:, :, None]
    weights = np.zeros((40, 3))
    for _ in range(20_000):
        wrong = (signed @ weights[:, :, None])[:, :, 0] <= 0
        if not wrong.any():
            break
        weights += (signed * wrong[:, :, None]).mean(axis=1)
    assert not wrong.any()


def test_linear_labels_of_two_points_agree_by_their_angle():
    """A random plane parts two points with probability angle / pi: the normal is isotropic."""
    latents = begin(20_000, rule="linear", features=2, n_examples=1).latents
    a, b = latents["examples"][:, 0, :2], latents["query"]
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    parted = labels(latents["examples"], 2)[:, 0] != latents["chances"].argmax(axis=1)
    chance = np.arccos(np.clip(cosine, -1, 1)) / np.pi
    z = (parted - chance).sum() / np.sqrt((chance * (1 - chance)).sum())
    assert abs(z) < 3.9
    assert stats.kstest(a.ravel(), stats.uniform(-1, 2).cdf).pvalue > FALSE_ALARM


def test_neighbouring_inputs_share_their_label_and_labels_are_equally_frequent():
    kwargs = {"rule": "neighbour", "n_arms": 3, "features": 2, "n_examples": 40}
    latents = begin(3000, **kwargs).latents
    answer = latents["chances"].argmax(axis=1)
    assert stats.chisquare(np.bincount(answer, minlength=3)).pvalue > FALSE_ALARM
    distance = np.linalg.norm(latents["examples"][:, :, :2] - latents["query"][:, None], axis=2)
    label = labels(latents["examples"], 2)
    rows = np.arange(3000)
    close, far = distance.argmin(axis=1), distance.argmax(axis=1)
    assert (label[rows, close] == answer).mean() > 0.8
    assert (label[rows, far] == answer).mean() < 0.4
    near = distance.min(axis=1) < 0.03
    assert near.sum() > 30
    assert (label[rows, close] == answer)[near].mean() > 0.9


def test_nearest_is_the_nearest():
    rng = np.random.default_rng(0)
    points, centres = rng.normal(size=(5, 7, 3)), rng.normal(size=(5, 6, 3))
    expected = [
        [min(range(6), key=lambda c: np.linalg.norm(point - some[c])) for point in of]
        for of, some in zip(points, centres, strict=True)
    ]
    assert nearest(points, centres).tolist() == expected


@settings(max_examples=8, deadline=None)
@given(noise=st.floats(0.05, 1.0), rule=st.sampled_from(["linear", "neighbour"]))
def test_noise_replaces_labels_by_random_ones(noise, rule):
    """Against the clean labels of the same episodes: noise (1 - 1 / K) of them differ."""
    clean, noisy = (begin(600, rule=rule, noise=each).latents for each in (0.0, noise))
    np.testing.assert_array_equal(clean["chances"], noisy["chances"])
    differ = int((labels(clean["examples"], 4) != labels(noisy["examples"], 4)).sum())
    first = int(labels(noisy["examples"], 4)[:, 0].sum())
    # Eight examples, two tests of 5e-6 each.
    assert stats.binomtest(differ, 6000, noise / 2).pvalue > 5e-6
    assert stats.binomtest(first, 600, 0.5).pvalue > 5e-6


@pytest.mark.parametrize("rule", ["arms", "linear", "neighbour"])
def test_shuffling_renames_the_actions_and_leaves_what_is_shown(rule):
    kwargs = {"rule": rule, "n_arms": 2 if rule == "linear" else 3}
    plain, shuffled = begin(6000, **kwargs), begin(6000, shuffled=True, **kwargs)
    np.testing.assert_array_equal(plain.stimulus(), shuffled.stimulus())
    before, after = plain.latents["chances"], shuffled.latents["chances"]
    np.testing.assert_array_equal(np.sort(before, axis=1), np.sort(after, axis=1))
    where = after[np.arange(6000), before.argmax(axis=1)] == before.max(axis=1)
    assert stats.binomtest(int(where.sum()), 6000, 1 / kwargs["n_arms"]).pvalue > FALSE_ALARM


def test_first_observations_are_telling_only_where_they_hold_live_evidence():
    for kwargs, telling in (
        ({}, True),
        ({"rule": "linear", "again": True}, True),
        ({"shuffled": True}, False),
        ({"sequence": True}, False),
    ):
        assert make_family(DATASET, **kwargs).telling is telling


def test_rewards_on_a_fixed_dataset_are_drawn_anew():
    """One task: the same examples and chances in every episode, rewards by chance."""
    episodes = begin(2000, n_tasks=1)
    for value in episodes.latents.values():
        assert (value == value[0]).all()
    chance = episodes.latents["chances"][0, 0]
    reward, _ = episodes.step(np.zeros(2000, int))
    assert stats.binomtest(int(reward.sum()), 2000, chance).pvalue > FALSE_ALARM


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"rule": "quadratic"}, "rule must be one of arms, linear, neighbour, got 'quadratic'"),
        ({"n_arms": 1}, "n_arms must be a whole number of at least 2"),
        ({"n_examples": 0}, "n_examples must be a whole number of at least 1"),
        ({"rule": "linear", "features": 0}, "features must be"),
        ({"rule": "linear", "noise": 1.5}, "noise must be a probability"),
        ({"noise": 0.5}, "noise is of labels"),
        ({"rule": "linear", "n_arms": 3}, "rule 'linear' needs n_arms=2, got 3"),
        ({"again": 1}, "again must be True or False"),
        ({"sequence": "yes"}, "sequence must be True or False"),
        ({"shuffled": None}, "shuffled must be True or False"),
    ],
)
def test_bad_arguments_are_refused(kwargs, message):
    with pytest.raises(InvalidTask, match=message):
        make_family(DATASET, **kwargs)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"chances": [0.5, 2.0]}, "chances must be numbers from 0 to 1"),
        ({"examples": np.full((10, 3), 2.0, np.float32)}, "examples must be numbers from 0 to 1"),
        ({"trial": 5}, "trial must be from 0 to 1"),
        ({"query": [0.5, 0.5]}, "'query' must be"),
    ],
)
def test_bad_tasks_are_refused(task, message):
    with pytest.raises(InvalidTask, match=message):
        begin(1).set_task(task)


def test_every_argument_is_tried_in_the_examples():
    tried = {name for kwargs in make_family(DATASET).examples for name in kwargs}
    assert tried == set(inspect.signature(type(make_family(DATASET))).parameters)
