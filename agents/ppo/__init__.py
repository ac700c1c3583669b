"""The training engine: proximal policy optimisation over whole sequences.

Read ``algorithm`` first: one rollout, one update. ``policy`` is the network, ``losses`` what is
minimised, ``checkpoint`` and ``sb3_zip`` the two ways in which a model is saved.
"""

from metalocus.agents.ppo.algorithm import SequencePPO
from metalocus.agents.ppo.policy import SequencePolicy

__all__ = ["SequencePPO", "SequencePolicy"]
