"""The strategy probe: strategies against agents written apart, recovery, and who is not fooled."""

import itertools

import numpy as np
import pytest

from metalocus.agents.catalogue import make_named
from metalocus.envs import InvalidTask, Setting
from metalocus.experiments.calibration.confusion import Follower, found
from metalocus.experiments.probes import strategy
from metalocus.experiments.probes.strategy import StrategyProbe
from metalocus.experiments.scoring.chunks import Chunk
from metalocus.experiments.scoring.sample import Sample
from metalocus.experiments.strategies import fitting as _fitting
from metalocus.experiments.strategies import mixture as _mixture
from metalocus.experiments.strategies import tiny_gru as _tiny_gru
from metalocus.experiments.strategies.candidates import candidates
from metalocus.experiments.strategies.evidence import Evidence, Objects, evidence, scored
from metalocus.experiments.strategies.filters import HAZARDS, LEVEL_HAZARD, Kalman, VolatileFilter
from metalocus.experiments.strategies.fitting import entropy, fitted, surprise
from metalocus.experiments.strategies.histories import foreign_histories, played, replayed
from metalocus.experiments.strategies.learners import StimulusRescorlaWagner
from metalocus.experiments.strategies.reader import OFFERED, Reader, verdict
from metalocus.experiments.strategies.tiny_gru import best_network, network_log_probs
from metalocus.experiments.strategies.two_step import reward_as_cue

BANDIT = Setting("metalocus/BernoulliBandit-v0", n_arms=3, horizon=20)
REVERSAL = Setting("metalocus/ReversalBandit-v0", horizon=20)
CARDS = Setting("metalocus/RuleSwitching-v0", horizon=20, p=0.8)
TWO_STEP = Setting("metalocus/TwoStep-v0", horizon=20)
LAPSE = 1e-4


@pytest.fixture
def rough(monkeypatch):
    """Short searches, and a network that is hardly trained."""
    monkeypatch.setattr(_fitting, "SPREAD", 5)
    monkeypatch.setattr(_fitting, "SEARCH_STEPS", 15)
    monkeypatch.setattr(_tiny_gru, "STEPS", 1)
    monkeypatch.setattr(_tiny_gru, "SIZES", (1,))
    monkeypatch.setattr(strategy, "FITTED_CHOICES", 120)


def find(setting, name):
    """A strategy of a family by its name, and the policies that the strategies read."""
    found, references = candidates(setting.family)
    return next(each for each in found if each.name == name), references


def yoked(setting, n=6, seed=3):
    return next(foreign_histories(Chunk(setting, seed, 0, n), 1))


def told(rewards, actions, n_arms=2, reached=None):
    """One episode of arms, by hand."""
    action = np.array(actions)[:, None]
    credit = np.eye(n_arms)[action]
    nothing = np.zeros((len(actions), 1, 0))
    return Evidence(
        action,
        np.array(rewards, dtype=float)[:, None],
        nothing,
        {"arms": Objects(credit)},
        (action, action),
        {},
        n_arms,
    )


# Each strategy says what an agent that was written apart from it does.

SAME = [  # setting, agent, strategy, parameters
    (BANDIT, "random", "random", []),
    (BANDIT, "fixed_bias", "bias", [3 / 6, 2 / 6, 1 / 6]),
    (BANDIT, "wsls", "wsls", [0.0]),
    (BANDIT, "recent_winner", "recent_winner", [0.1]),
    (BANDIT, "perseveration", "perseveration", [np.log(1 + 3 * 0.8 / 0.2), 0.0]),
    (BANDIT, "rescorla_wagner", "rescorla_wagner", [0.3, 20, 0.0]),
    (BANDIT, "rescorla_wagner_asymmetric", "rescorla_wagner_asymmetric", [0.3, 0.1, 20, 0.0]),
    (BANDIT, "rescorla_wagner_forgetting", "rescorla_wagner_forgetting", [0.3, 0.1, 20, 0.0]),
    (
        BANDIT,
        "rescorla_wagner_counterfactual",
        "rescorla_wagner_counterfactual",
        [0.3, 0.15, 20, 0],
    ),
    (BANDIT, "ucb1_prior", "ucb", [0.2, 1e9, 0.0]),
    (BANDIT, "epsilon_greedy", "posterior_mean", [1e9, 0.05]),
    (BANDIT, "thompson", "thompson", [0.0]),
    (BANDIT, "finite_index", "index", [1e9, 0.0]),
    (REVERSAL, "filter", "latent_state", [REVERSAL.family.p, REVERSAL.family.hazard, 1e9, 0.0]),
    (REVERSAL, "filter", "bayes", [1e9, 0.0]),
    (CARDS, "rule_filter", "latent_state_features", [0.8, CARDS.family.hazard, 1e9, 0.0]),
    (CARDS, "wsls", "wsls", [0.0]),
    (TWO_STEP, "model_free", "model_free", [0.54, 0.42, 0.57, 0.11, 5.19, 0.0]),
    (TWO_STEP, "model_based", "model_based", [0.42, 0.11, 5.19, 0.0]),
    (TWO_STEP, "two_step_filter", "latent_state", [0.9, 0.025, 1e9, 0.0]),
]


def test_a_strategy_with_an_agent_s_parameters_gives_its_probabilities():
    for setting, name, said, theta in SAME:
        agent, (model, references) = make_named(name, setting.family), find(setting, said)
        history = yoked(setting)
        probs = np.stack([each for each, _ in replayed(agent, history, 0)])[scored(setting.family)]
        with np.errstate(divide="ignore"):  # a choice without lapses has probabilities of 0
            found = np.exp(model.log_probs(evidence(history, references), np.array([theta]))[0])
        if said == "perseveration":  # the softmax is uniform at first, as the agent is
            assert np.isclose(np.exp(theta[0]) / (np.exp(theta[0]) + 2), 0.8 + 0.2 / 3)
        np.testing.assert_allclose(found, probs, atol=1e-6, err_msg=f"{name}, {said}")


def test_parameters_side_by_side_are_the_same_as_one_by_one():
    """A batch of parameter sets is that many passes, for every strategy of every family."""
    rng = np.random.default_rng(0)
    cued = Setting("metalocus/ReversalBandit-v0", horizon=6, cued=True)
    for setting in (BANDIT, CARDS, TWO_STEP, cued):
        models, references = candidates(setting.family)
        seen = evidence(yoked(setting), references)
        for model in models:
            if model.parameters:
                x = rng.random((3, model.free))
                theta = np.stack([p.natural(x[:, i]) for i, p in enumerate(model.parameters)], 1)
                whole = model.log_probs(seen, theta)
                np.testing.assert_allclose(np.exp(whole).sum(axis=-1), 1.0, atol=1e-9)
                for row, each in zip(whole, theta, strict=True):
                    np.testing.assert_allclose(row, model.log_probs(seen, each[None])[0], atol=1e-9)


def test_kalman_means_by_hand():
    """Prior variance 1: gain 1/2. Then 1/2 + 1 (drift) = 3/2 for the arm pulled: gain 3/5."""
    seen = told([1, 0, 1], [0, 0, 1])
    values = Kalman().values(seen, np.array([[1.0, 1.0, 1.0, 0.0]]))[0, :, 0]
    np.testing.assert_allclose(values, [[0.5, 0.5], [0.75, 0.5], [0.3, 0.5]])


def test_the_volatile_filter_is_the_sum_over_all_hidden_paths():
    rewards, actions, p = [1, 0, 0], [0, 0, 1], 0.8
    model, hazards = VolatileFilter(), HAZARDS
    value = model.values(told([*rewards, 0], [*actions, 0]), np.array([[p, 1.0, 0.0]]))[0, -1, 0]
    weight, change = np.zeros(2), LEVEL_HAZARD
    for good in itertools.product(range(2), repeat=4):
        for level in itertools.product(range(5), repeat=4):
            chance = 0.5 / 5
            for t in range(3):
                agrees = (actions[t] == good[t]) == (rewards[t] == 1)
                chance *= p if agrees else 1 - p
                chance *= 1 - change if level[t + 1] == level[t] else change / 4
                switch = hazards[level[t + 1]]
                chance *= switch if good[t + 1] != good[t] else 1 - switch
            weight[good[3]] += chance
    np.testing.assert_allclose(value, weight / weight.sum(), rtol=1e-9)


def test_reward_as_cue_reads_the_last_state_and_reward():
    seen = told([1, 0, 1], [1, 0, 0])
    np.testing.assert_array_equal(reward_as_cue(seen)[:, 0], [4, 3, 0])


def test_a_stimulus_has_values_of_its_own():
    """Cue 0 learns that arm 0 pays; under cue 1 nothing is known; a rate of 1 learns at once."""
    seen = told([1, 1, 0], [0, 1, 0])
    cues = np.eye(2)[[0, 1, 0]][:, None]
    seen = Evidence(seen.action, seen.reward, cues, seen.objects, seen.reached, {}, 2)
    values = StimulusRescorlaWagner().values(seen, np.array([[1.0, 1.0, 0.0]]))[0, :, 0]
    np.testing.assert_allclose(values, [[0.5, 0.5], [0.5, 0.5], [1.0, 0.5]])


# What is measured.


def test_excess_is_the_divergence_from_the_agent():
    """Of probabilities 1/2, 1/3, 1/6 from uniform: log 3 - H; the bias itself has none."""
    probs = np.broadcast_to(np.array([3, 2, 1]) / 6.0, (20, 4, 3))
    expected = np.log(3) - (np.log(2) / 2 + np.log(3) / 3 + np.log(6) / 6)
    model, _ = find(BANDIT, "random")
    seen = told([0] * 20, [0] * 20, 3)
    found = surprise(model.log_probs(seen, np.empty((1, 0)))[0], probs) - entropy(probs)
    np.testing.assert_allclose(found, expected)
    assert entropy(np.eye(3)[[[0, 1]]]).tolist() == [0.0, 0.0]


def test_a_replayed_history_gives_the_probabilities_of_the_play():
    for name in ("thompson", "leaky", "delta_rule", "oracle"):
        agent = make_named(name, BANDIT.family)
        history, probs = played(agent, Chunk(BANDIT, 0, 0, 5))
        again = np.stack([each for each, _ in replayed(agent, history, 0)])
        np.testing.assert_array_equal(again, probs, err_msg=name)


def test_of_the_histories_offered_that_with_most_disagreement_is_shown():
    """WSLS and a recent winner, without lapses: how often they differ, counted apart."""
    agent = make_named("random", BANDIT.family)
    chosen = [find(BANDIT, name)[0] for name in ("wsls", "recent_winner")]
    reader, chunk = Reader(agent, chosen, {}), Chunk(BANDIT, 5, 0, 30)
    reader.leaders = chosen
    reader.parameters["own"] = {each.name: np.array([[LAPSE]]) for each in chosen}
    told, _ = reader._disagreeing(chunk)
    offered = list(foreign_histories(chunk, OFFERED))
    others = [make_named(name, BANDIT.family) for name in ("wsls", "recent_winner")]

    def apart(history):
        first, second = (
            np.stack([probs.argmax(axis=1) for probs, _ in replayed(each, history, 0)])
            for each in others
        )
        return (first != second).mean()

    assert apart(told) > max(apart(each) for each in offered) + 0.05


def test_the_verdict_takes_the_simplest_of_those_not_told_apart():
    found = verdict([0.3, 0.0, 0.005, 0.02], [0.1, 0.0, 0.001, 0.03], [0, 4, 2, 3], 0.01)
    assert (found.simplest, found.as_good) == (2, (1, 2, 3))
    assert verdict([0.3, 0.0, 0.02], [0.1, 0.0, 0.001], [0, 4, 2], 0.01).as_good == (1,)


def test_the_interval_of_a_share_is_that_of_the_jackknife():
    rng = np.random.default_rng(0)
    excess = rng.gamma(2.0, [[0.5], [0.2], [0.05]], size=(3, 60))
    sample = Sample()
    sample.add(excess)
    share, error = strategy._shares(excess, 0, sample)
    left_out = np.array([np.delete(excess, i, axis=1).mean(axis=1) for i in range(60)])
    ratios = (left_out[:, 0] - left_out[:, 1]) / (left_out[:, 0] - left_out[:, 2])
    np.testing.assert_allclose(error[1], np.sqrt(59 * ratios.var()), rtol=0.05)
    assert (share[0], share[2]) == (0.0, 1.0)
    assert strategy._shares(np.full((3, 60), 0.1), 0, sample)[0] == [None] * 3


# Planted agents: each strategy recovers itself, random fits none, and who is not fooled.


def test_strategies_recover_themselves_from_300_choices(rough):
    """Some of the confusion matrix; the whole takes minutes."""
    for name in ("recent_winner", "rescorla_wagner", "thompson"):
        assert found(make_named(name, BANDIT.family), BANDIT)["disagreeing"] == name


def test_a_follower_acts_as_the_agent_of_its_strategy():
    for setting, name, theta in (
        (BANDIT, "rescorla_wagner", [0.3, 20.0, 0.0]),
        (TWO_STEP, "model_based", [0.42, 0.11, 5.19, 0.0]),
    ):
        follower = Follower(find(setting, name)[0], theta, setting.family)
        history = yoked(setting)
        probs, other = (
            np.stack([each for each, _ in replayed(agent, history, 0)])[scored(setting.family)]
            for agent in (follower, make_named(name, setting.family))
        )
        np.testing.assert_allclose(probs, other, atol=1e-9, err_msg=name)


def test_an_agent_of_two_faces_is_found_out_where_strategies_disagree(rough):
    """On its own histories it is win-stay lose-shift, and the naive probe says so."""
    names = found(make_named("two_faced", BANDIT.family), BANDIT)
    assert names["own"] == "wsls"
    assert names["disagreeing"].startswith("rescorla_wagner")


def test_random_choice_and_a_fixed_bias_are_no_learning_strategy(rough):
    probe = StrategyProbe()
    result = probe.run(make_named("random", BANDIT.family), BANDIT, 40, 0)
    assert result["best"] == {"disagreeing": "random", "own": "random"}
    assert set(result["share"]["own"].values()) == {None}
    assert "random choice" in probe.sentence(result)
    result = probe.run(make_named("fixed_bias", BANDIT.family), BANDIT, 40, 0)
    assert result["best"]["disagreeing"] == "bias"
    excess = result["excess"]["disagreeing"]
    learned = [each for each in excess if each not in ("bias", "gru")]
    expected = np.log(3) - (np.log(2) / 2 + np.log(3) / 3 + np.log(6) / 6)
    np.testing.assert_allclose([excess[each] for each in learned], expected, atol=0.01)


def test_the_network_predicts_what_a_learner_does(monkeypatch):
    """Of the way from random to the agent itself it goes nine tenths, on other episodes."""
    monkeypatch.setattr(_tiny_gru, "SIZES", (2,))
    monkeypatch.setattr(_tiny_gru, "STEPS", 150)
    agent = make_named("wsls", REVERSAL.family)
    seen, others = (played(agent, Chunk(REVERSAL, seed, 0, 30)) for seed in (0, 1))
    network = best_network(evidence(seen[0], {}), seen[1])
    excess = surprise(network_log_probs(network, evidence(others[0], {})), others[1])
    left = excess.mean() - entropy(others[1]).mean()
    assert left < 0.1 * (np.log(2) - entropy(others[1]).mean())


def test_where_there_is_nothing_to_follow_it_says_why():
    agent = make_named("random", BANDIT.family)
    for setting, said in (
        (Setting("metalocus/DatasetBandit-v0"), "all examples at once"),
        (Setting("metalocus/BernoulliBandit-v0", horizon=1), "one trial"),
    ):
        with pytest.raises(InvalidTask, match=said):
            StrategyProbe().run(agent, setting, 4, 0)


def test_a_fit_finds_the_parameters_that_made_the_choices():
    agent, (model, _) = (
        make_named("rescorla_wagner", BANDIT.family),
        find(BANDIT, "rescorla_wagner"),
    )
    history, probs = played(agent, Chunk(BANDIT, 0, 0, 15))
    (theta,) = fitted(model, evidence(history, {}), probs)
    np.testing.assert_allclose(theta[:2], [0.3, 20.0], rtol=0.05)


def test_the_figure_and_the_sentence(rough):
    probe = StrategyProbe()
    result = probe.run(make_named("wsls", BANDIT.family), BANDIT, 20, 0)
    assert "strategies disagree wsls explains its choices best" in probe.sentence(result)
    left, _ = probe.draw(result).axes
    assert left.get_yticklabels()[0].get_text() == "wsls"
    assert left.get_legend() is not None


# Two strategies that take turns by episode.


@pytest.fixture
def some(rough, monkeypatch):
    """Those that two-armed mixtures are made of, and what could be taken for them."""
    names = ("random", "wsls", "rescorla_wagner", "rescorla_wagner_forgetting", "kalman")
    few = [find(BANDIT, name)[0] for name in names]
    monkeypatch.setattr(strategy, "candidates", lambda family: (few, {}))


def test_of_two_strategies_that_take_turns_each_is_found_with_its_part(some):
    """The parts are those drawn at the start, though in an episode of wins both hardly differ."""
    setting = Setting("metalocus/BernoulliBandit-v0", n_arms=2, horizon=20)
    probe = StrategyProbe(choices=500, network=False)
    agent = make_named("mixed_half", setting.family)
    result = probe.run(agent, setting, 60, 3)
    drawn = agent.start(60, np.random.default_rng(3)).state["part"].mean()
    assert 0.2 < drawn < 0.8
    for kind in ("own", "disagreeing"):
        found = result["mixture"][kind]
        assert found.keys() == {"wsls", "rescorla_wagner"}
        assert found["wsls"] == pytest.approx(drawn, abs=1e-9)
        error = np.sqrt(drawn * (1 - drawn) / 60)
        assert result["mixture_se"][kind]["wsls"] == pytest.approx(error)
    assert "wsls and rescorla_wagner in turn" in probe.sentence(result)
    assert "share" not in result


def test_a_strategy_of_few_episodes_is_found_before_either_is_fitted_to_its_own(some):
    """Fitted to all episodes, the two explain hardly more than a simpler pair does."""
    setting = Setting("metalocus/BernoulliBandit-v0", n_arms=2, horizon=20)
    agent = make_named("mixed_quarter", setting.family)
    result = StrategyProbe(choices=500, network=False).run(agent, setting, 60, 14)
    for kind in ("own", "disagreeing"):
        assert result["mixture"][kind].keys() == {"wsls", "rescorla_wagner"}
    drawn = agent.start(60, np.random.default_rng(14)).state["part"].mean()
    assert result["mixture"]["disagreeing"]["wsls"] == pytest.approx(drawn, abs=1e-9)


def test_half_of_two_strategies_at_every_choice_is_not_taken_for_turns(some):
    """Pure strategies are one; a blend is none that is listed, and the same in every episode."""
    setting = Setting("metalocus/BernoulliBandit-v0", n_arms=2, horizon=20)
    probe = StrategyProbe(choices=300, network=False)
    for name in ("wsls", "blended_half"):
        result = probe.run(make_named(name, setting.family), setting, 40, 0)
        for kind, best in result["best"].items():
            assert result["mixture"][kind] == {best: 1.0}, name


def test_the_likelihood_of_a_mixture_by_hand():
    """Two choices of probability 1/2 or 1/4 each, equal parts: 1/8 + 1/32, of which 4/5."""
    losses = np.log([[2.0], [4.0]])
    loss, first = _mixture.mixed(losses, np.array([0.5, 0.5]), 2)
    np.testing.assert_allclose(loss, -np.log(1 / 8 + 1 / 32) / 2)
    np.testing.assert_allclose(first, 4 / 5)
