"""Reinforcement learning: proximal policy optimisation on what the agent itself earns."""

from __future__ import annotations

from stable_baselines3 import PPO

from metalocus.agents.ppo.algorithm import SequencePPO
from metalocus.agents.trainers.base import Trainer

TRAINER = Trainer(
    "rl",
    "reinforcement learning by proximal policy optimisation (Schulman 2017)",
    SequencePPO,
    takes=(SequencePPO, PPO),
)
