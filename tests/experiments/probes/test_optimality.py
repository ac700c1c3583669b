"""The optimality probe: no distance for the optimum, the known one for chance."""

import numpy as np
import pytest

from metalocus.agents.agent import NamedAgent
from metalocus.agents.catalogue import REFERENCES, best_reference, make_named
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import InvalidTask, Setting, make_family
from metalocus.experiments.probes.optimality import Optimality
from metalocus.experiments.scoring.returns import configurations

BANDIT = "metalocus/BernoulliBandit-v0"
REVERSAL = "metalocus/ReversalBandit-v0"


def found(name, env_id=BANDIT, episodes=1000, seed=0, **env_kwargs):
    agent = make_named(name, make_family(env_id, **env_kwargs))
    return Optimality().run(agent, Setting(env_id, **env_kwargs), episodes, seed)


@pytest.mark.parametrize(
    ("name", "env_id", "env_kwargs", "exact"),
    [
        ("bayes_optimal", BANDIT, {}, True),
        ("bayes_optimal", BANDIT, {"prior": "medium"}, True),
        ("filter", REVERSAL, {}, True),
        ("filter", REVERSAL, {"cued": True}, True),
        ("finite_index", BANDIT, {"n_arms": 5, "horizon": 40}, False),
        ("gittins", BANDIT, {"n_arms": 5, "horizon": 130}, False),
    ],
)
def test_the_reference_itself_is_at_no_distance(name, env_id, env_kwargs, exact):
    result = found(name, env_id, 200, **env_kwargs)
    assert (result["reference"], result["exact"]) == (name, exact)
    np.testing.assert_allclose(result["agreement"], 1.0, atol=1e-12)
    assert result["agreed"] == pytest.approx(1.0)
    if exact:
        np.testing.assert_allclose(result["lost"], 0.0, atol=1e-12)
        assert result["total_lost"] == pytest.approx(0.0, abs=1e-10)
    else:
        assert result["lost"] == [None] * env_kwargs["horizon"]
        assert result["total_lost"] is None


def shortened(setting):
    """The setting with ten trials at most, if its family takes a horizon."""
    short = {**setting.kwargs, "horizon": min(10, setting.family.horizon)}
    try:
        make_family(setting.env, **short)
    except InvalidTask:
        return setting
    return Setting(setting.env, **short)


def test_on_every_task_the_reference_agrees_with_itself():
    """Also where an act takes in what it is shown, which must then count once."""
    for setting in map(shortened, configurations()):
        reference = best_reference(setting.family)
        if reference.omniscient:
            with pytest.raises(InvalidTask, match="no reference policy"):
                found("random", setting.env, 6, **setting.kwargs)
            continue
        result = found(reference.name, setting.env, 6, **setting.kwargs)
        assert result["reference"] == reference.name
        np.testing.assert_allclose(result["agreement"], 1.0, atol=1e-9, err_msg=str(setting))


def test_the_oracle_is_compared_by_what_the_task_shows():
    """The reference sees the objects, not the worths that the oracle sees in their place."""
    result = found("oracle", "metalocus/Harlow-v0", 50)
    assert result["reference"] == "harlow_memory"
    np.testing.assert_array_equal(result["agreement"], 1.0)
    np.testing.assert_array_equal(result["lost"], 0.0)


def test_tasks_from_a_fixed_few_have_no_exact_reference():
    agent = make_named("random", make_family(BANDIT))
    assert not Optimality().run(agent, Setting(BANDIT, n_tasks=4), 5)["exact"]


def test_losses_add_up_to_the_shortfall_from_the_optimal_return():
    """The performance difference lemma, for chance: the optimum minus 10 of 20."""
    optimum = make_named("bayes_optimal", make_family(BANDIT, horizon=20)).optimal_return
    result = found("random", episodes=6000, horizon=20)
    shortfall = optimum - 10.0
    assert result["total_lost"] == pytest.approx(shortfall, abs=4 * result["total_lost_se"])
    assert result["total_lost"] == pytest.approx(sum(result["lost"]))
    assert result["total_lost_se"] < 0.05


def test_losses_of_a_learner_add_up_to_its_regret_beyond_the_least():
    setting = Setting(BANDIT, horizon=20)
    least = 20 * 2 / 3 - make_named("bayes_optimal", setting.family).optimal_return
    trace = rollout(make_named("wsls", setting.family), fresh_episodes(setting, 6000, 0), 0)
    regret = (trace.means.max(axis=2) - trace.value).sum(axis=0)
    error = 4 * regret.std() / np.sqrt(6000)
    assert error < 0.12
    lost = found("wsls", episodes=6000, horizon=20)["total_lost"]
    assert lost == pytest.approx(regret.mean() - least, abs=error)


def test_chance_agrees_half_without_ties():
    result = found("random", REVERSAL)
    assert result["agreement"][0] == 1.0  # all arms tie at first
    np.testing.assert_allclose(result["agreement"][1:], 0.5)
    assert result["agreed"] == pytest.approx(0.5)  # the first choice does not count
    assert result["agreed_se"] == pytest.approx(0.0, abs=1e-12)


def test_who_breaks_ties_otherwise_loses_nothing():
    """A divergence from even choices would be log 2 or more at each tie."""
    for name, kwargs in (("bayes_optimal", {"horizon": 6}), ("finite_index", {"n_arms": 5})):
        setting, ties = Setting(BANDIT, **kwargs), []
        rollout(
            make_named("first_of_best", setting.family),
            fresh_episodes(setting, 200, 0),
            shadows=[make_named(name, setting.family)],
            observe=lambda trial, ties=ties: ties.append(trial.shadows[0][0].max(axis=1) < 0.99),
        )
        assert np.mean(ties) > 0.03, kwargs
        result = found("first_of_best", episodes=200, **kwargs)
        np.testing.assert_allclose(result["agreement"], 1.0)
        if name == "bayes_optimal":
            np.testing.assert_allclose(result["lost"], 0.0, atol=1e-12)


def test_who_agrees_at_the_end_may_have_lost_by_never_exploring():
    """Greedy choice is optimal at the last of 20 trials; what was lost was lost before."""
    result = found("counts_in_state", horizon=20)
    assert result["agreement"][-1] == 1.0
    assert result["lost"][-1] == pytest.approx(0.0, abs=1e-12)
    assert result["total_lost"] > 0.05 + 4 * result["total_lost_se"]


class Contrary(NamedAgent):
    """Does the opposite of the filter, with certainty."""

    name = "contrary"

    def start(self, n, rng):
        return make_named("filter", self.family).start(n, rng)

    def act(self, stimulus, stores):
        probs, after = make_named("filter", self.family).act(stimulus, stores)
        return probs[:, ::-1], after

    def learn(self, stores, stimulus, action, reward):
        return make_named("filter", self.family).learn(stores, stimulus, action, reward)


def test_certain_error_never_agrees_and_loses_what_the_filter_gains_twice():
    """At each trial it takes the worse arm by the belief: |2 b - 1| (2 p - 1), and b is known."""
    setting, gaps = Setting(REVERSAL), []
    agent = Contrary(make_family(REVERSAL))

    def observe(trial):
        belief = trial.shadows[0][1].state["belief"]
        gaps.append(np.abs(belief[:, 0] - belief[:, 1]) * 0.5)

    shadow = make_named("filter", setting.family)
    rollout(agent, fresh_episodes(setting, 50, 0), shadows=[shadow], observe=observe)
    result = Optimality().run(agent, setting, 50)
    np.testing.assert_allclose(result["agreement"][1:], 0.0)
    np.testing.assert_allclose(result["lost"], np.mean(gaps, axis=1), atol=1e-12)


def test_watching_changes_nothing():
    """The agent plays as it would without a reference beside it."""
    seen = []

    class Watched(type(make_named("thompson", make_family(BANDIT)))):
        def act(self, stimulus, stores):
            probs, after = super().act(stimulus, stores)
            seen.append(probs)
            return probs, after

    Optimality().run(Watched(make_family(BANDIT)), Setting(BANDIT), 50)
    plain = rollout(
        make_named("thompson", make_family(BANDIT)), fresh_episodes(Setting(BANDIT), 50, 0), 0
    )
    np.testing.assert_array_equal(seen, plain.probs)


def test_a_family_without_a_near_optimum_is_refused(monkeypatch):
    for name in ("bayes_optimal", "filter", "finite_index", "gittins"):
        never = classmethod(lambda cls, family: "not today")
        monkeypatch.setattr(REFERENCES[name], "why_not", never)
    with pytest.raises(InvalidTask, match="no reference policy"):
        Optimality().run(make_named("wsls", make_family(BANDIT)), Setting(BANDIT), 50)
    assert best_reference(make_family(BANDIT)).name == "oracle"


def test_trials_at_which_nothing_is_paid_are_not_counted_as_agreement():
    """Of five trials of examples in sequence only the last choice pays."""
    result = found("random", "metalocus/DatasetBandit-v0", sequence=True, n_examples=4)
    assert result["agreement"][:4] == pytest.approx([1.0] * 4)
    assert 0.5 < result["agreement"][4] < 0.8, "some of the examples tell the two arms apart"
    assert result["agreed"] == pytest.approx(0.5)
