"""The control that sweeps: after j acts it has planned j steps ahead."""

import numpy as np

from metalocus.agents.agent import best_arms
from metalocus.agents.catalogue import make_named
from metalocus.agents.references.mdp.posterior import mean_rewards, mean_transitions
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import Setting

H = 4
MDP = Setting("metalocus/TabularMDP-v0", n_states=3, n_actions=3, inner_horizon=H, n_episodes=5)


def test_each_act_plans_a_step_further_up_to_the_whole_plan():
    """The values are computed here by recursion on the steps that are left."""
    agent, whole = (
        make_named(name, MDP.family) for name in ("sweeps_values", "certainty_equivalent")
    )

    def value(rewards, transitions, state, left):
        best = [
            value(rewards, transitions, s, left - 1).max() if left > 1 else 0.0 for s in range(3)
        ]
        return rewards[state] + transitions[state] @ np.array(best)

    def observe(trial):
        if trial.t not in (9, 14):
            return
        stores, (planned, seen) = trial.stores, trial.shadows[0]
        rewards, transitions = mean_rewards(seen), mean_transitions(seen)
        for acts in range(1, H + 2):
            probs, stores = agent.act(trial.stimulus, stores)
            np.testing.assert_array_equal(stores.state["visits"], seen.state["visits"])
            for row, state in enumerate(trial.stimulus[:, :-1].argmax(axis=1)):
                left = min(acts, H - trial.t % H)
                expected = value(rewards[row], transitions[row], state, left)
                np.testing.assert_array_equal(probs[row] > 0, best_arms(expected[None])[0])
        np.testing.assert_array_equal(probs, planned)

    rollout(agent, fresh_episodes(MDP, 10, 0), 0, shadows=[whole], observe=observe)
