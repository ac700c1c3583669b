"""The transplant probe: what is exchanged, what it is worth, and what must not fool it."""

from functools import cache

import numpy as np
import pytest
import torch

from metalocus.agents.agent import Stores
from metalocus.agents.catalogue import CONTROLS, make_named
from metalocus.agents.cells.base import TRAINABLES
from metalocus.agents.ppo.policy import SequencePolicy
from metalocus.agents.rollout import fresh_episodes
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.envs import InvalidTask, Setting
from metalocus.envs.sb3 import BatchVecEnv
from metalocus.experiments.instruments import subspace as _subspace
from metalocus.experiments.instruments.exchange import Player, Task, opposite, shown_latents
from metalocus.experiments.instruments.subspace import Coordinates, Swap, learned, random_directions
from metalocus.experiments.probes import transplant
from metalocus.experiments.probes.transplant import Transplant

FIVE = Setting("metalocus/BernoulliBandit-v0", n_arms=5, horizon=60)
TWO = Setting("metalocus/BernoulliBandit-v0", horizon=20)
RULES = Setting("metalocus/RuleSwitching-v0", horizon=12)
N = 600


@cache
def found(name, setting=FIVE, episodes=N, **kwargs):
    return Transplant(**kwargs).run(make_named(name, setting.family), setting, episodes, 0)


def network(setting, recurrent=1.0, read=1.0, name="rnn"):
    """An untrained network whose recurrent weights and read-out are multiplied."""
    vec = BatchVecEnv(setting.env, 1, **setting.kwargs)
    torch.manual_seed(0)
    policy = SequencePolicy(
        vec.observation_space,
        vec.action_space,
        lambda _: 0.0,
        **TRAINABLES[name].arguments(setting.layout),
    )
    with torch.no_grad():
        policy.action_net.weight *= read
        if name == "rnn":
            policy.cell.layer.weight_hh_l0 *= recurrent
    return TrainedAgent(policy, setting.layout)


# Positive.


def test_a_belief_agent_chooses_as_the_donor_with_its_stores_or_its_decoded_means():
    """Two of five independent arms are the same one in a fifth of the pairs."""
    result = found("means_in_state")
    assert result["moved"]["all"] == pytest.approx(1.0, abs=1e-12)
    assert result["agreement"]["all"] == pytest.approx(1.0, abs=1e-12)
    assert result["contained"]
    assert result["moved"]["decoded"] == pytest.approx(1.0, abs=0.02)
    assert result["rank"]["decoded"] == 4
    assert abs(result["opposite"] - 0.8) < 4 * np.sqrt(0.16 / N)
    doses = [result["dose"][f"decoded {dose}"] for dose in transplant.DOSES]
    assert doses[0] == 0.0
    assert doses == sorted(doses)
    assert doses[-1] == pytest.approx(result["moved"]["decoded"], abs=1e-9)
    assert result["after"]["all"][0] == pytest.approx(1.0, abs=1e-12)


def test_the_first_choice_is_worth_what_a_plain_loop_finds():
    """Of counts on two arms, all in Python: the donor's choice on the donor's chances."""
    agent = make_named("counts_in_state", TWO.family)
    result = Transplant(trial=7).run(agent, TWO, 50, 3)
    own = Player.begin(agent, fresh_episodes(TWO, 50, 3), 3)
    other = Player.begin(agent, transplant.unrelated(next(iter(transplant.Chunks(TWO, 50, 3)))), 3)
    own.play(7)
    other.play(7)
    shifts = donors = pairs = 0.0
    for i in range(50):
        chances, theirs = (each.episodes.means()[i] for each in (own, other))
        if np.argmax(chances) == np.argmax(theirs):
            continue
        pairs += 1

        def choice(player, i=i):
            won, lost = player.stores.state["table"][i].T
            mean = (won + 1) / (won + lost + 2)
            return (mean == mean.max()) / (mean == mean.max()).sum()

        shifts += (choice(other) - choice(own)) @ theirs
        donors += theirs.max() - theirs.mean()
    assert result["opposite"] == pytest.approx(pairs / 50)
    assert result["apart"] == pytest.approx(shifts / donors)


def test_feedback_overwrites_what_was_put_in_place():
    """Win-stay lose-shift keeps the donor's arm only as long as it wins."""
    result = found("wsls", TWO, 2000)
    after = result["after"]["all"]
    assert after[0] == pytest.approx(1.0)
    assert after[5] < 0.5


# Where a choice depends on what is shown.


def test_a_task_is_the_hidden_part_and_worth_on_the_stimulus_shown():
    episodes, donors = (fresh_episodes(RULES, 200, seed) for seed in (0, 1))
    shown = shown_latents(episodes.family, episodes.latents, donors.latents)
    assert shown == ["card"]
    value = Task(donors, shown).value(episodes)
    hybrid = {**episodes.latents, "rule": donors.latents["rule"]}
    np.testing.assert_array_equal(value, episodes.family.means(hybrid))
    same = donors.latents["rule"] == episodes.latents["rule"]
    assert not opposite(value, episodes.means())[same].any()
    result = found("rule_filter", RULES)
    assert result["moved"]["decoded"] == pytest.approx(1.0, abs=0.02)
    assert result["rank"]["decoded"] == episodes.family.n_features - 1


def test_where_the_cue_tells_everything_nothing_can_move():
    cued = Setting("metalocus/ReversalBandit-v0", horizon=6, cued=True)
    result = found("filter", cued, 50)
    assert result["opposite"] == 0.0
    assert result["moved"]["all"] is None
    assert "no donor of an opposite task" in Transplant().sentence(result)


# Negative.


def test_stores_change_places_at_the_middle_choice_that_pays():
    """Of a dataset shown one example a trial that is the query, where the donor's belief counts."""
    examples = Setting("metalocus/DatasetBandit-v0", n_arms=3, n_examples=6, sequence=True)
    result = found("posterior", examples, 200)
    assert result["trials"] == [6]
    assert result["moved"]["all"] == pytest.approx(1.0)
    for setting, middle in ((FIVE, 30), (TWO, 10), (Setting("metalocus/TwoStep-v0"), 100)):
        assert transplant._middle(setting) == middle


def test_stores_of_its_own_task_cost_nothing():
    result = found("means_in_state")
    assert abs(result["cost"]["same task"]) < 4 * result["cost_se"]["same task"]
    assert result["cost"]["opposite task"] > 0.5


def test_random_directions_move_little_among_many_and_large_ones():
    """The means are in 9 of 49 directions, and in almost none of the variance."""
    result = found("counts_among_inert")
    assert result["directions"] > 40
    assert result["moved"]["decoded"] > 0.7
    assert result["moved"]["random"] < 0.1
    assert result["moved"]["random, as large"] < 0.15


def test_an_untrained_network_has_nothing_to_move(monkeypatch):
    monkeypatch.setattr(transplant, "FIT_EPISODES", 100)
    monkeypatch.setattr(_subspace, "ROUNDS", 5)
    result = Transplant().run(network(TWO), TWO, 100)
    assert result["moved"]["all"] is None
    assert result["moved"]["learned"] is None


# What must not fool it.


def test_knowledge_outside_the_stores_is_noticed(monkeypatch):
    monkeypatch.setattr(transplant, "FIT_EPISODES", 20)
    monkeypatch.setattr(transplant, "DOSES", (1.0,))
    short = Setting("metalocus/BernoulliBandit-v0", horizon=4)
    for name, control in CONTROLS.items():
        if control.why_not(short.family) is None:
            result = found(name, short, 20)
            assert result["contained"] == getattr(control, "contained", True), name
            if not result["contained"]:
                assert result["moved"]["all"] == 0.0 or name == "shared_table", name
                assert "more than its stores tells" in Transplant().sentence(result), name


# The parts.


def test_an_exchange_gives_the_donors_prediction_and_keeps_the_covariance():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(4000, 6))
    x, y = z @ rng.normal(size=(6, 6)), z[:, :2]
    stores = Stores(state={"x": x})
    coordinates = Coordinates(stores, y - y.mean(axis=0))
    directions = coordinates.decoded()
    assert directions.shape == (6, 2)
    other = np.roll(np.arange(4000), 1)
    own, donor = coordinates.of(stores), coordinates.of(stores.rows(other))
    change = Swap(directions).change(own, donor)
    vectors = coordinates.vectors
    moved = vectors.back(vectors.of(stores) + coordinates.step(change), stores).state["x"]
    inside = ((moved > x.min(axis=0)) & (moved < x.max(axis=0))).all(axis=1)  # none cut off
    centred = y - y.mean(axis=0)
    weights = np.linalg.lstsq(x - x.mean(axis=0), centred, rcond=None)[0]
    predicted = (moved - x.mean(axis=0)) @ weights
    np.testing.assert_allclose(predicted[inside], centred[other][inside], atol=1e-6)
    np.testing.assert_allclose(np.cov((own + change).T), np.eye(6), atol=0.1)
    random = random_directions(directions.shape, 0)
    np.testing.assert_allclose(random.T @ random, np.eye(2), atol=1e-12)
    as_large = Swap(random, directions).change(own, donor)
    np.testing.assert_allclose(np.linalg.norm(as_large, axis=1), np.linalg.norm(change, axis=1))


def test_a_learned_rotation_finds_the_direction_that_is_read(monkeypatch):
    """The next step multiplies the state by a matrix of rank 1, so it reads one direction of it."""
    agent = network(TWO, read=60.0)
    rng = np.random.default_rng(0)
    into, read = rng.normal(size=(2, 64))
    with torch.no_grad():
        agent.policy.cell.layer.weight_hh_l0[:] = torch.from_numpy(np.outer(into, read)) / 2
    player = Player.begin(agent, fresh_episodes(TWO, 400, 0), 0)
    player.play(10)
    stores, other = player.stores, np.roll(np.arange(400), 1)
    donor = stores.rows(other)
    told = Stores(context={key: donor.context[key] for key in agent.context})
    own, wanted = stores.updated(told), player.probs(donor)
    coordinates = Coordinates(Stores(state=stores.state), player.episodes.means())
    begin = random_directions((coordinates.size, 1), 0)

    def apart(directions):
        change = Swap(directions).change(coordinates.of(own), coordinates.of(donor))
        moved = coordinates.vectors.of(own) + coordinates.step(change)
        return np.abs(player.probs(coordinates.vectors.back(moved, own)) - wanted).mean()

    assert np.abs(player.probs(own) - wanted).mean() > 0.02
    found = learned(agent, coordinates, player.shown, own, donor, wanted, begin)
    assert apart(found) < 0.2 * apart(begin)
    monkeypatch.setattr(_subspace, "ROUNDS", 0)
    idle = learned(agent, coordinates, player.shown, own, donor, wanted, begin)
    np.testing.assert_allclose(np.abs(idle), np.abs(begin), atol=1e-6)


def test_a_trial_without_a_past_or_beyond_the_end_is_refused():
    with pytest.raises(InvalidTask, match="trial must be"):
        Transplant(trial=0)
    with pytest.raises(InvalidTask, match="trial must be from 1 to 19, got 20"):
        found("wsls", TWO, 10, trial=20)
    with pytest.raises(InvalidTask, match="no choice follows a reward"):
        found("posterior", Setting("metalocus/DatasetBandit-v0"), 10)
