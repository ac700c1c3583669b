"""The reward channel probe: what agents earn is worked out for those wired to their input."""

import numpy as np
import pytest

from metalocus.agents.agent import Agent
from metalocus.agents.catalogue import make_named
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import InvalidTask, Setting
from metalocus.experiments.probes.reward_channel import SHOWN, RewardChannel, _lost, _played
from metalocus.experiments.scoring import chunks
from metalocus.experiments.scoring.chunks import Chunk
from metalocus.experiments.scoring.curves import choice_value
from metalocus.experiments.scoring.sample import Sample

P, HAZARD, TRIALS = 0.75, 0.05, 40
REVERSAL = Setting("metalocus/ReversalBandit-v0", p=P, hazard=HAZARD, horizon=TRIALS)
BANDIT = Setting("metalocus/BernoulliBandit-v0", n_arms=3)
KINDS = [*SHOWN, "truth flipped"]


def found(agent, setting, episodes=1000):
    agent = make_named(agent, setting.family) if isinstance(agent, str) else agent
    return RewardChannel().run(agent, setting, episodes)


def near(result, name, expected, kind=None, most=0.1):
    """Within four standard errors, which are small: rate 1e-4."""
    value, error = result[name], result[f"{name}_se"]
    if kind is not None:
        value, error = value[kind], error[kind]
    return abs(value - expected) < 4 * error + 1e-12 < most


def win_stay(keeps):
    """Reward a trial of win-stay lose-shift that is told something else than its reward.

    ``keeps`` gives, from whether the arm is the good one and the rewards of this trial and the one
    before, whether it is told of a win.
    """
    # places: whether the arm is the good one, and the reward of the trial before
    chance, earned = {(True, 0): 0.5, (False, 0): 0.5}, 0.0
    for _ in range(TRIALS):
        after = dict.fromkeys(((good, won) for good in (True, False) for won in (0, 1)), 0.0)
        for (good, before), mass in chance.items():
            pays = P if good else 1 - P
            earned += mass * pays
            for won, part in ((1, pays), (0, 1 - pays)):
                same = good if keeps(won, before) else not good
                after[same, won] += mass * part * (1 - HAZARD)
                after[not same, won] += mass * part * HAZARD
        chance = after
    return earned / TRIALS


def test_win_stay_lose_shift_earns_what_its_input_makes_it_earn():
    result = found("wsls", REVERSAL)
    told = {
        "plain": lambda won, before: won,
        "flipped": lambda won, before: 1 - won,
        "delayed": lambda won, before: before,
        "scaled": lambda won, before: 0,  # half a reward is no win
        "withheld": lambda won, before: 0,
    }
    for kind, keeps in told.items():
        assert near(result, "true", win_stay(keeps), kind), kind
    assert near(result, "true", 0.5, "unrelated")
    # it stays if it will be paid, else it tries the other arm: 1 - p (1 - p) pays, the first .5
    expected = (0.5 + (TRIALS - 1) * (1 - P * (1 - P))) / TRIALS
    assert near(result, "true", expected, "foretold")
    assert near(result, "true", 1 - win_stay(told["plain"]), "truth flipped")
    assert near(result, "shown", win_stay(told["plain"]), "plain")
    assert near(result, "shown", 1 - win_stay(told["flipped"]), "flipped")
    assert result["shown"]["scaled"] == pytest.approx(result["true"]["scaled"] / 2)
    assert result["shown"]["withheld"] == 0.0
    assert result["shown"]["truth flipped"] == result["shown"]["plain"]
    assert near(result, "follows", 1.0)
    assert near(result, "needs", 1.0, most=0.25)  # unrelated tasks agree by chance
    assert near(result, "value", 2 * (P * (1 - HAZARD) + (1 - P) * HAZARD) - 1, "plain")


def test_agents_wired_to_their_input_follow_it_wholly_where_tasks_are_as_likely_mirrored():
    for name, setting in (
        ("counts_in_state", BANDIT),
        ("wary", BANDIT),
        ("filter", REVERSAL),
        ("model_based", Setting("metalocus/TwoStep-v0", horizon=60)),
        ("rescorla_wagner", Setting("metalocus/GaussianBandit-v0")),
    ):
        result = found(name, setting, 800)
        assert near(result, "follows", 1.0), name
        assert near(result, "shift", 0.0), name
        assert "confusion" not in RewardChannel().sentence(result), name


def test_without_a_reward_input_nothing_changes():
    cued = Setting(REVERSAL.env, cued=True, horizon=TRIALS)
    for name in ("cue_follower", "oracle"):
        result = found(name, cued, 200)
        for key in ("follows", "needs"):
            assert (result[key], result[f"{key}_se"]) == (0.0, 0.0), (name, key)
        for kind in SHOWN:
            assert result["true"][kind] == result["true"]["plain"], (name, kind)
            assert result["value"][kind] == result["value"]["plain"], (name, kind)
    assert found("oracle", cued, 200)["true"]["plain"] == pytest.approx(P, abs=0.03)
    for name in ("random", "fixed_bias"):
        result = found(name, BANDIT, 200)
        assert result["follows"] is None, name
        assert "does not learn enough" in RewardChannel().sentence(result), name


class Mixed(Agent):
    """Follows the cue in half of its choices, and in the other half wins that it is told of."""

    name = "mixed"

    def __init__(self, family):
        self.halves = make_named("wsls", family), make_named("cue_follower", family)

    def start(self, n, rng):
        return self.halves[0].start(n, rng)

    def act(self, stimulus, stores):
        return sum(half.act(stimulus, stores)[0] for half in self.halves) / 2, stores

    def learn(self, stores, stimulus, action, reward):
        return self.halves[0].learn(stores, stimulus, action, reward)


def test_an_agent_that_follows_two_inputs_follows_each_in_part():
    """Win-stay lose-shift is as often right whichever arm was pulled."""
    setting = Setting(REVERSAL.env, cued=True, p=P, hazard=HAZARD, horizon=TRIALS)
    result = found(Mixed(setting.family), setting)
    by_wins, by_cue = (2 * P - 1) * (1 - 2 * HAZARD), 0.7
    assert near(result, "value", (by_cue + by_wins) / 2, "plain")
    assert near(result, "value", (by_cue - by_wins) / 2, "flipped")
    for name in ("follows", "needs"):
        assert near(result, name, by_wins / (by_wins + by_cue)), name


def test_flipped_rewards_that_are_unlike_any_are_said_to_be():
    """A wary agent, which seeks its input alone, seems to resist it by a third."""
    generous = Setting("metalocus/BernoulliBandit-v0", prior="beta(5,2)")
    result = found("wary", generous)
    assert result["follows"] + 4 * result["follows_se"] < 0.9
    assert near(result, "shift", 1 - 2 * 5 / 7)
    assert "this may be confusion" in RewardChannel().sentence(result)
    result = found("rule_filter", Setting("metalocus/RuleSwitching-v0"), 100)
    assert near(result, "shift", 0.5)  # one pile of four pays, then three
    assert "this may be confusion" in RewardChannel().sentence(result)


def test_standard_error_is_that_of_leaving_out_one_episode():
    chunk, agent = Chunk(BANDIT, 0, 0, 200), make_named("counts_in_state", BANDIT.family)
    plays = [_played(agent, chunk, SHOWN[kind])[2:] for kind in ("plain", "flipped")]

    def follows(plays):
        sample = Sample()
        sample.add(np.concatenate(plays))
        return _lost("follows", *choice_value(*np.stack(plays, axis=1)), 1, sample)

    left = [follows([np.delete(play, i, axis=1) for play in plays])["follows"] for i in range(200)]
    error = np.sqrt(199) * np.std(left)
    assert follows(plays)["follows_se"] == pytest.approx(error, rel=0.05)


class Recording(Agent):
    """Chooses at random and keeps what it is told."""

    name = "recording"

    def __init__(self, family):
        self.random, self.told = make_named("random", family), []

    def start(self, n, rng):
        self.told.append([])
        return self.random.start(n, rng)

    def act(self, stimulus, stores):
        return self.random.act(stimulus, stores)

    def learn(self, stores, stimulus, action, reward):
        self.told[-1].append(reward)
        return stores


def test_every_kind_of_input_shows_what_it_says():
    agent = Recording(REVERSAL.family)
    found(agent, REVERSAL, 300)
    told = {kind: np.stack(each) for kind, each in zip(SHOWN, agent.told, strict=True)}
    trace = rollout(agent, fresh_episodes(REVERSAL, 300, 0), 0)
    np.testing.assert_array_equal(told["plain"], trace.reward)
    np.testing.assert_array_equal(told["flipped"], 1 - trace.reward)
    np.testing.assert_array_equal(told["delayed"][1:], trace.reward[:-1])
    assert not told["delayed"][0].any()
    np.testing.assert_array_equal(told["scaled"], trace.reward / 2)
    assert not told["withheld"].any()
    assert abs(np.corrcoef(told["unrelated"].ravel(), trace.reward.ravel())[0, 1]) < 0.04
    assert told["unrelated"].mean() == pytest.approx(0.5, abs=0.04)
    again = trace.action[1:] == trace.action[:-1]
    np.testing.assert_array_equal(told["foretold"][:-1][again], trace.reward[1:][again])
    assert (told["foretold"][:-1] != trace.reward[1:]).any()


def test_on_the_two_step_task_the_reward_of_a_trial_is_shown_otherwise_and_no_other_step():
    setting = Setting("metalocus/TwoStep-v0", horizon=20)
    agent = Recording(setting.family)
    result = found(agent, setting, 50)
    kinds = [kind for kind in SHOWN if kind != "foretold"]
    assert list(result["value"]) == kinds
    told = {kind: np.stack(each) for kind, each in zip(kinds, agent.told, strict=True)}
    for kind in kinds:
        assert not told[kind][::2].any(), kind
    np.testing.assert_array_equal(told["flipped"][1::2], 1 - told["plain"][1::2])
    np.testing.assert_array_equal(told["delayed"][3::2], told["plain"][1:-2:2])


def test_plain_input_is_the_plain_run():
    result = found("thompson", BANDIT, 100)
    trace = rollout(make_named("thompson", BANDIT.family), fresh_episodes(BANDIT, 100, 0), 0)
    assert result["true"]["plain"] == pytest.approx(trace.reward.mean(), abs=1e-12)
    assert list(result["true"]) == KINDS


def test_chunks_do_not_show(monkeypatch):
    whole = found("wsls", REVERSAL, 200)
    monkeypatch.setattr(chunks, "CHUNK", 90)
    parts = found("wsls", REVERSAL, 200)
    for name in ("follows", "shift"):
        for key in (name, f"{name}_se"):
            assert parts[key] == pytest.approx(whole[key], rel=1e-9, abs=1e-12), key


def test_one_trial_is_refused():
    with pytest.raises(InvalidTask, match="no choice follows a reward"):
        found("random", Setting("metalocus/BernoulliBandit-v0", horizon=1))
