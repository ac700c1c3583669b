"""The plane of interval and rate, on replicas whose losses are known."""

import dataclasses

import numpy as np
import pytest

from metalocus.agents.replicas.learning import PARAMETERS, RATE
from metalocus.experiments.claims.base import CLAIMS
from metalocus.experiments.claims.timing import (
    ACTIVITY,
    BOTH,
    INTACT,
    LESIONS,
    ROLLED,
    STATE,
    Exam,
    updates_within,
)
from metalocus.experiments.runs.named import setting_called
from metalocus.experiments.runs.replicas import build_stream, replicas_agent
from metalocus.experiments.scoring.score import score
from metalocus.experiments.studies.presets import PRESETS

pytestmark = pytest.mark.usefixtures("small_claims")

TASK = setting_called("metalocus/BernoulliBandit-v0", n_arms=2, horizon=10)
PRESET = dataclasses.replace(PRESETS["full"], setting=TASK, episodes=16, most_steps=5000)
SEED = 9
CLAIM = CLAIMS.find("timing")


def trained(network, name, episodes):
    """The replicas of every rate after a few episodes."""
    config = CLAIM.runs(PRESET, 0)[f"{network}/{name}/{TASK.name}"]
    stream = build_stream(config)
    for _ in range(episodes):
        stream.play()
    return replicas_agent(config, stream.weights)


def still(agent):
    """The same replicas at rate 0."""
    agent.weights = agent.learning.begin(agent.weights)[0]  # makes the update that is due
    agent.weights[RATE] = agent.weights[RATE] * 0
    return agent


def scores(agent):
    exam = Exam(TASK, PRESET.episodes, SEED)
    return {lesion: exam.scores(agent, lesion).tolist() for lesion in LESIONS}


def test_a_lesion_costs_nothing_where_nothing_is_carried():
    """At rate 0 in the weights, in a memoryless network beside them; else it makes a difference."""
    found = scores(trained("gru", "3", 20))
    assert len({str(each) for each in found.values()}) == len(LESIONS)
    at_rate_0 = scores(still(trained("gru", "3", 20)))
    assert at_rate_0[ROLLED] == at_rate_0[INTACT]
    assert at_rate_0[BOTH] == at_rate_0[ACTIVITY] != at_rate_0[INTACT]
    memoryless = scores(trained("mlp", "3", 20))
    assert memoryless[ACTIVITY] == memoryless[STATE] == memoryless[INTACT] != memoryless[ROLLED]
    assert memoryless[BOTH] == memoryless[ROLLED]


def test_intervals_of_whole_episodes_lose_nothing_by_rollback():
    for network, episodes in (("mlp", 10), ("gru", 13)):  # an update is due, none is
        found = scores(trained(network, "100", episodes))
        assert found[ROLLED] == found[INTACT]
        assert found[BOTH] == found[ACTIVITY]
    assert [updates_within(k, 50) for k in (1, 20, 50, 75, 100)] == [True, True, False, True, False]


def test_all_rates_play_the_same_episodes_and_each_replica_its_own():
    agent = still(trained("gru", "3", 1))
    agent.weights[PARAMETERS] = agent.weights[PARAMETERS][:1].repeat(len(agent.numbers), 1)
    exam = Exam(TASK, PRESET.episodes, SEED)
    first, second = exam.scores(agent, INTACT)
    assert exam.n == PRESET.episodes
    assert first == second == pytest.approx(score(agent.only(0), TASK, exam.n, SEED))


def test_the_best_points_are_chosen_without_the_episodes_that_they_are_measured_on(monkeypatch):
    """Here each point scores on the latter the reverse of what it scores on the former."""
    asked = {"gru": set(), "mlp": set()}

    def known(exam, agent, lesion):
        network, interval = agent.learning.networks.cell, agent.learning.rule.interval
        rates = np.unique(agent.weights[RATE].numpy().round(3))
        plane = 0.5 - 0.1 * rates + (0.2 if interval == 100 else 0.0)
        if exam.seed == SEED:
            asked[network] |= {(interval, rate) for rate in rates.tolist()}
            plane = 1 - plane
        return plane * (0.25 if network == "mlp" else 1.0) - (0.1 if lesion == ROLLED else 0.0)

    monkeypatch.setattr(Exam, "scores", known)
    task = dataclasses.replace(PRESET, setting=setting_called(TASK.env, n_arms=2, horizon=50))
    runs = CLAIM.runs(task, 0)
    agents = {k: replicas_agent(c, build_stream(c).weights) for k, c in runs.items()}
    found = CLAIM.measure(agents, task, SEED)
    for points in asked.values():  # the best of all, and the best of those that update within
        assert {(k, round(rate, 1)) for k, rate in points} == {(100, 0.1), (3, 0.1)}
    values = {name: next(iter(own.values())) for name, own in found.items()}
    assert values["recurrent"] == pytest.approx(1 - 0.69)
    assert values["memoryless"] == pytest.approx((1 - 0.69) / 4)
    assert values["difference"] == pytest.approx(-0.75 * (1 - 0.69))
    assert values["rollback"] == pytest.approx(0.1)
    assert values["memoryless_rollback"] == pytest.approx(0.1 / ((1 - 0.49) / 4))
    assert values["activity"] == values["state"] == 0.0
    assert values["both"] == 0.0
