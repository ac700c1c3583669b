"""One rollout trains every trainable tensor, of every agent and every cell."""

from inspect import signature

import pytest
import torch

from metalocus.agents.cells.base import CELLS, TRAINABLES
from metalocus.agents.ppo.algorithm import SequencePPO
from metalocus.agents.ppo.policy import CRITICS
from metalocus.envs.sb3 import BatchVecEnv


def unmoved(env, policy_kwargs):
    """Names of the trainable tensors that one rollout leaves as they are."""
    few = {"n_steps": 8, "n_epochs": 1, "n_minibatches": 2, "seed": 1}
    model = SequencePPO("SequencePolicy", env, policy_kwargs=policy_kwargs, **few)
    before = {name: value.clone() for name, value in model.policy.named_parameters()}
    model.learn(1)
    assert model.num_timesteps == 8 * env.num_envs, "it is one rollout"
    return [n for n, p in model.policy.named_parameters() if torch.equal(p, before[n])]


@pytest.mark.parametrize(
    ("critic", "task"),
    [*zip(CRITICS, [{"n_arms": 3}] * 3, strict=True), ("shared", {"cued": True})],
    ids=str,
)
def test_of_every_agent(critic, task):
    for name, agent in TRAINABLES.items():
        env = BatchVecEnv("metalocus/ReversalBandit-v0", 4, seed=1, horizon=8, **task)
        found = unmoved(env, agent.arguments(env.layout) | {"critic": critic})
        assert found == [], f"{name} does not train {found}"


@pytest.mark.parametrize("continuous", [False, True], ids=["discrete", "continuous"])
def test_of_every_cell_on_foreign_tasks(envs, continuous):
    """Cells that begin as learning rules need to know what they see, and finitely many actions."""
    for name, cell in CELLS.items():
        kwargs = {"cell": name}
        if "n_actions" in signature(cell).parameters:
            if continuous:
                continue
            kwargs |= {"cell_kwargs": {"n_actions": 3}, "inputs": [0, 0, 1, 2, 1]}
        found = unmoved(envs(4, continuous), kwargs)
        assert found == [], f"{name} does not train {found}"


IDLE = {
    "alike_pairs": ["gru.bias_hh", "gru.bias_ih", "gru.weight_hh", "gru.weight_ih"],
    "alike_arms": ["gru.bias_hh", "gru.bias_ih", "gru.weight_hh", "gru.weight_ih"],
    "anil": ["baseline", "entropy", "pace", "scales.0"],
    "fast_weights": ["key_before.weight"],
    "gru": ["layer.weight_hh_l0"],
    "hebbian": ["alpha", "decay"],
    "learned_rule": ["hidden", "not_taken", "out", "taken"],
    "learned_rule_affine": ["not_taken", "taken"],
    "lru": ["log_decay", "log_turn"],
    "lstm": ["layers.0.weight_hh_l0"],
    "lstm2": ["layers.0.weight_hh_l0", "layers.1.weight_hh_l0"],
    "maml": ["baseline", "entropy", "pace", "scales.0", "scales.1"],
    "maml_first_order": ["baseline", "entropy", "pace", "scales.0", "scales.1"],
    "maml_value": ["scales.0", "scales.1"],
    "neuromodulated": ["alpha", "decay", "gate.bias", "gate.weight"],
    "rnn": ["layer.weight_hh_l0"],
    "transformer_smeared": ["key_before.weight"],
}
"""What acts on what was carried from the trial before, or on what is carried to the next."""


def test_in_episodes_of_one_trial_just_what_acts_on_memory_is_idle():
    """Nothing is carried there, so these tensors change no choice and have no gradient."""
    for name, agent in TRAINABLES.items():
        env = BatchVecEnv("metalocus/DatasetBandit-v0", 4, seed=1)
        assert env.episodes.family.horizon == 1
        found = sorted(unmoved(env, agent.arguments(env.layout)))
        assert found == [f"cell.{idle}" for idle in IDLE.get(name, [])], name
