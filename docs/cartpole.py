"""CartPole solved by the engine with an LSTM: ``python docs/cartpole.py [SEED]``.

Prints the CPU time of training on one thread and the mean return of 100 fresh episodes with
the most probable actions; 475 of 500 counts as solved. With ``--recurrent-ppo`` sb3-contrib's
RecurrentPPO is trained with its defaults, until the last 100 episodes of training reach 190.
"""

import sys
import time

import numpy as np
import torch
from sb3_contrib import RecurrentPPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.utils import LinearSchedule

from metalocus.agents.ppo import SequencePPO


class StopAt(BaseCallback):
    """Ends training once the mean return of the last 100 episodes reaches a bound."""

    def __init__(self, bound: float) -> None:
        super().__init__()
        self.bound = bound

    def _on_step(self) -> bool:
        returns = [episode["r"] for episode in self.model.ep_info_buffer]
        return not returns or np.mean(returns) < self.bound


def ours(seed: int) -> SequencePPO:
    """An LSTM trained for 150,000 steps; the rate falls to 0."""
    model = SequencePPO(
        "SequencePolicy",
        make_vec_env("CartPole-v1", 8, seed=seed),
        policy_kwargs={"cell": "lstm"},
        learning_rate=LinearSchedule(1e-3, 0.0, 1.0),
        n_steps=128,
        n_minibatches=4,
        n_epochs=10,
        gamma=0.99,
        gae_lambda=0.9,
        ent_coef=0.0,
        all_action_coef=0.0,
        seed=seed,
    )
    return model.learn(150_000)


def recurrent_ppo(seed: int) -> RecurrentPPO:
    """The same number of steps at most, with every default of sb3-contrib."""
    model = RecurrentPPO("MlpLstmPolicy", "CartPole-v1", seed=seed, device="cpu")
    return model.learn(150_000, callback=StopAt(190.0))


if __name__ == "__main__":
    theirs = "--recurrent-ppo" in sys.argv
    seed = int(next((word for word in sys.argv[1:] if word.isdigit()), "0"))
    torch.set_num_threads(1)
    model = (recurrent_ppo if theirs else ours)(seed)
    trained = time.process_time()
    mean, _ = evaluate_policy(model, make_vec_env("CartPole-v1", 8, seed=1000 + seed), 100)
    steps = model.num_timesteps
    print(f"{steps} steps in {trained:.0f} CPU seconds, start included; return {mean:.0f} of 500")
