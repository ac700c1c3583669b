"""The influence probe: kernels that are known, none where rewards play no part."""

from dataclasses import replace

import numpy as np
import pytest

from metalocus.agents.agent import NamedAgent, Stores
from metalocus.agents.catalogue import make_named
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import InvalidTask, Setting
from metalocus.experiments.probes.influence import LAGS, Influence, _association
from metalocus.experiments.scoring.sample import Sample

BANDIT = Setting("metalocus/BernoulliBandit-v0", n_arms=3, horizon=20)
REVERSAL = Setting("metalocus/ReversalBandit-v0", p=0.75, hazard=0.05, horizon=20)
CUED = Setting("metalocus/ReversalBandit-v0", hazard=0.02, horizon=20, cued=True)
READOUTS = (5, 19)  # a quarter of the way to the last trial, and the last
EPISODES = 300


def found(agent, setting, episodes=EPISODES):
    agent = make_named(agent, setting.family) if isinstance(agent, str) else agent
    return Influence().run(agent, setting, episodes)


def history(agent, setting):
    """Actions and rewards of the episodes that the probe plays, both [T, N]."""
    played = rollout(make_named(agent, setting.family), fresh_episodes(setting, EPISODES, 0), 0)
    return played.action, played.reward


def places(horizon_lags=LAGS):
    """Every readout and lag that there is, and where it stands in a result."""
    for place, readout in enumerate(READOUTS):
        for lag in horizon_lags:
            if lag <= readout:
                yield place, readout, lag


def kernel(result, kind, quantity):
    """By readout and lag."""
    return {
        (readout, lag): result[kind][f"lag {lag}"][quantity][place]
        for place, readout, lag in places()
    }


def test_win_stay_lose_shift_remembers_one_trial_and_no_more():
    for setting in (BANDIT, REVERSAL):
        result = found("wsls", setting)
        assert result["contained"]
        assert result["trials"] == list(READOUTS)
        moved = kernel(result, "reward", "moved")
        assert all(value == (lag == 1) for (_, lag), value in moved.items())
        # after another action that lost, the choice is even among all but that one
        moved = kernel(result, "action", "moved")
        assert all((value == 0.0) == (lag > 1) for (_, lag), value in moved.items())
        # it stays for sure after a win and shifts for sure after a loss
        probability = kernel(result, "reward", "probability")
        assert all(value == (lag == 1) for (_, lag), value in probability.items())
        assert set(kernel(result, "reward", "log_odds").values()) == {None}


def test_a_sum_that_fades_by_a_fifth_gives_a_kernel_that_does():
    for n_arms in (2, 5):
        result = found("kernel_geometric", Setting(BANDIT.env, n_arms=n_arms, horizon=20))
        for (readout, lag), value in kernel(result, "reward", "log_odds").items():
            assert value == pytest.approx(1.0 * 0.8 ** (lag - 1), rel=1e-9), (readout, lag)


def test_counts_give_a_kernel_that_is_flat_in_lag_and_falls_with_the_trials():
    result = found("kernel_flat", BANDIT)
    for (readout, lag), value in kernel(result, "reward", "log_odds").items():
        assert value == pytest.approx(24 / (readout + 2), rel=1e-9), (readout, lag)


def test_rescorla_wagner_fades_by_its_rate_at_each_further_pull_of_the_arm():
    actions, _ = history("rescorla_wagner", REVERSAL)
    result = found("rescorla_wagner", REVERSAL)
    for (readout, lag), value in kernel(result, "reward", "log_odds").items():
        chose = readout - lag
        pulls = (actions[chose + 1 : readout] == actions[chose]).sum(axis=0)
        assert value == pytest.approx((20 * 0.3 * 0.7**pulls).mean(), rel=1e-9), (readout, lag)


def after_hazard(log_odds, hazard):
    """Glaze, Kable & Gold 2015, equation 2."""
    odds = (1 - hazard) / hazard
    return log_odds + np.log(odds + np.exp(-log_odds)) - np.log(odds + np.exp(log_odds))


def log_odds_of_first_arm(actions, rewards):
    """The belief in arm 0 after some trials, by the closed recursion on log-odds."""
    found = np.zeros(actions.shape[1])
    for action, reward in zip(actions, rewards, strict=True):
        says_first = (action == 0) == (reward == 1)
        found = after_hazard(found + np.where(says_first, 1, -1) * np.log(3), 0.05)
    return found


def test_the_filters_kernel_is_that_of_its_recursion():
    actions, rewards = history("filter_matching", REVERSAL)
    result = found("filter_matching", REVERSAL)
    for (readout, lag), value in kernel(result, "reward", "log_odds").items():
        beliefs = []
        for reward in (1, 0):
            told = rewards.copy()
            told[readout - lag] = reward
            beliefs.append(log_odds_of_first_arm(actions[:readout], told[:readout]))
        mine = np.where(actions[readout - lag] == 0, 1, -1)
        expected = (mine * (beliefs[0] - beliefs[1])).mean()
        assert value == pytest.approx(expected, rel=1e-6), (readout, lag)
    assert kernel(result, "reward", "log_odds")[19, 1] > 1.3  # of 2 log 3, less the hazard


def test_an_agent_that_ignores_rewards_has_no_kernel_where_a_regression_finds_one():
    result = found("cue_follower", CUED, 1000)
    for kind in ("reward", "action", "cue"):
        for quantity in ("log_odds", "probability", "moved"):
            values = set(kernel(result, kind, quantity).values())
            assert values == {0.0}, (kind, quantity)
    for (readout, lag), value in kernel(result, "reward", "association").items():
        error = result["reward"][f"lag {lag}"]["association_se"][READOUTS.index(readout)]
        if lag < 16:  # by then the good arm has often changed
            assert value > max(0.1, 3 * error), (readout, lag)
    # P(good | win) = .85 * .75 / .675 and P(good | loss) = .85 * .25 / .325; the good arm is still
    # the good one with probability .98, and is then taken with .85, else with .15
    after_win, after_none = 0.85 * 0.75 / 0.675, 0.85 * 0.25 / 0.325
    same = 0.98 * 0.85 + 0.02 * 0.15
    expected = (after_win - after_none) * (2 * same - 1)
    value = result["reward"]["lag 1"]["association"][1]
    assert abs(value - expected) < 4 * result["reward"]["lag 1"]["association_se"][1]


def test_a_fixed_bias_is_changed_by_nothing():
    result = found("fixed_bias", BANDIT)
    for kind in ("reward", "action"):
        assert set(kernel(result, kind, "moved").values()) == {0.0}
    assert set(kernel(result, "reward", "log_odds").values()) == {0.0}
    assert "cue" not in result  # there is no stimulus


def test_a_table_outside_the_stores_is_found_out():
    result = found("leaky", BANDIT)
    assert not result["contained"]
    assert "outside its stores" in Influence().sentence(result)


def test_another_cue_changes_what_is_learned_of_a_rule():
    result = found("rule_filter", Setting("metalocus/RuleSwitching-v0", horizon=20))
    assert result["cue"]["lag 1"]["moved"][1] > 0.05
    assert "changes this part of the choices" in Influence().sentence(result)


class ByDoubling(NamedAgent):
    """Takes arm 1 with a probability that the rewards seen add to: no effect is alike twice."""

    name = "by_doubling"

    def start(self, n, rng):
        return Stores(state={"sum": np.zeros(n), "t": np.zeros(n)})

    def act(self, stimulus, stores):
        first = 0.5 + 0.4 * stores.state["sum"]
        return np.stack([1 - first, first], axis=1), stores

    def learn(self, stores, stimulus, action, reward):
        t = stores.state["t"] + 1
        return replace(stores, state={"sum": stores.state["sum"] + reward / 2**t, "t": t})


def test_a_copy_that_is_fed_a_trial_otherwise_equals_an_agent_told_that_history():
    setting = Setting("metalocus/BernoulliBandit-v0", horizon=20)
    agent = ByDoubling(setting.family)
    played = rollout(agent, fresh_episodes(setting, EPISODES, 0), 0)
    result = found(agent, setting)
    for (readout, lag), value in kernel(result, "reward", "probability").items():
        # a reward at trial s adds .4 / 2^(s + 1) to the probability of arm 1
        signs = np.where(played.action[readout - lag] == 1, 1, -1)
        expected = (0.4 / 2 ** (readout - lag + 1) * signs).mean()
        assert value == pytest.approx(expected, abs=1e-12), (readout, lag)


class TakesInByActing(NamedAgent):
    """As a recurrent network: what the last trial brought, and the cue, enter its state by acting.

    It takes the arm that the cue showed a trial ago, or one of great sum of fading outcomes.
    """

    name = "takes_in_by_acting"

    def start(self, n, rng):
        state = {"sum": np.zeros((n, self.n_arms)), "cue": np.zeros((n, self.family.stimulus_size))}
        return Stores(state, context={"outcome": np.zeros((n, self.n_arms))})

    def act(self, stimulus, stores):
        total = 0.5 * stores.state["sum"] + stores.context["outcome"]
        state = {"sum": total, "cue": stimulus}
        odds = np.exp(total) + (10 * stores.state["cue"] if stimulus.size else 0)
        return odds / odds.sum(axis=1, keepdims=True), replace(stores, state=state)

    def learn(self, stores, stimulus, action, reward):
        outcome = (np.arange(self.n_arms) == action[:, None]) * (2 * reward[:, None] - 1)
        return replace(stores, context={"outcome": outcome})


def test_what_enters_the_state_by_acting_is_carried_on_by_the_copies():
    setting = Setting(REVERSAL.env, horizon=20)
    result = found(TakesInByActing(setting.family), setting)
    for (readout, lag), value in kernel(result, "reward", "log_odds").items():
        assert value == pytest.approx(2 * 0.5 ** (lag - 1)), (readout, lag)
    result = found(TakesInByActing(CUED.family), CUED)
    moved = kernel(result, "cue", "moved")
    assert all((value > 0.1) == (lag == 1) for (_, lag), value in moved.items())
    assert all((value == 0.0) == (lag > 1) for (_, lag), value in moved.items())


class Contrary(NamedAgent):
    """Stays after a win in every other episode, and shifts after it in the rest."""

    name = "contrary"

    def start(self, n, rng):
        inner = make_named("wsls", self.family).start(n, rng)
        return inner.updated(Stores(context={"odd": np.arange(n) % 2}))

    def act(self, stimulus, stores):
        probs = make_named("wsls", self.family).act(stimulus, stores)[0]
        return np.where(stores.context["odd"][:, None] == 1, probs[:, ::-1], probs), stores

    def learn(self, stores, stimulus, action, reward):
        told = {"action": action, "reward": reward}
        return stores.updated(Stores(context=told))


def test_effects_of_opposite_sign_cancel_in_what_is_signed_alone():
    result = found(Contrary(REVERSAL.family), REVERSAL)
    assert kernel(result, "reward", "probability")[19, 1] == 0.0
    assert kernel(result, "reward", "moved")[19, 1] == 1.0


class FirstStage(NamedAgent):
    """On the two-step task: repeats the first choice of a rewarded trial, changes another one."""

    name = "first_stage"

    def start(self, n, rng):
        return Stores(context={"first": np.zeros(n, int), "reward": np.zeros(n)})

    def act(self, stimulus, stores):
        first, won = stores.context["first"], stores.context["reward"] > 0.5
        return np.eye(2)[np.where(won, first, 1 - first)], stores

    def learn(self, stores, stimulus, action, reward):
        first = np.where(stimulus[:, 0] > 0.5, action, stores.context["first"])
        return replace(stores, context={"first": first, "reward": reward})


def test_on_the_two_step_task_a_trial_is_its_first_choice_and_its_reward():
    setting = Setting("metalocus/TwoStep-v0", horizon=40)
    result = found(FirstStage(setting.family), setting)
    assert result["trials"] == [10, 38]  # first choices
    probability = kernel(result, "reward", "probability")
    assert all(value == (lag == 1) for (_, lag), value in probability.items())
    assert set(kernel(result, "cue", "moved").values()) == {0.0}


def test_sentence_names_both_readouts_and_intervals():
    said = Influence().sentence(found("kernel_flat", BANDIT))
    assert "log-odds of the same choice by 3.43 [3.43, 3.43] one trial later" in said
    assert "(at trial 5), and by 1.14 [1.14, 1.14] one trial later" in said
    assert "probability" in Influence().sentence(found("wsls", BANDIT))
    rewards = found("kernel_geometric", Setting("metalocus/GaussianBandit-v0", horizon=8), 50)
    assert Influence().sentence(rewards).startswith("The higher of a reward and its mirror image")


def test_effects_of_opposite_signs_are_in_what_moves():
    """On two arms the log-odds of the arm pulled go up by 1 where it is the first, else down.

    So the mean is the excess of first over second arms; what moves is as if all went up.
    """
    setting = Setting(BANDIT.env, horizon=20)
    result = found("kernel_opposed", setting)
    actions, _ = history("kernel_opposed", setting)
    first = (actions[18] == 0).mean()
    assert kernel(result, "reward", "log_odds")[19, 1] == pytest.approx(2.0 * first - 1.0)
    moved = Influence().row(result, "moved", "reward lag 1")
    assert moved.value > 0.15
    assert f"1 trial later it changes {moved} of the choices" in Influence().sentence(result)


def test_one_trial_is_refused():
    for env, horizon in ((BANDIT.env, 1), ("metalocus/TwoStep-v0", 2)):
        with pytest.raises(InvalidTask, match="no choice follows a reward"):
            found("random", Setting(env, horizon=horizon))


def test_standard_errors_are_those_of_leaving_out_one_episode():
    rng = np.random.default_rng(0)
    won, same = rng.random(200) < 0.7, rng.random(200)
    columns = np.stack([won, won * same, ~won * same])[:, None]

    def association(columns):
        sample = Sample()
        sample.add(columns)
        return _association(sample)

    left = [association(np.delete(columns, i, axis=2))["association"][0] for i in range(200)]
    error = np.sqrt(199) * np.std(left)
    assert association(columns)["association_se"][0] == pytest.approx(error, rel=0.03)
