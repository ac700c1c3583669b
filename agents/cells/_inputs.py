"""What the cells share that tell actions apart by their inputs."""

from __future__ import annotations

from metalocus.envs import InvalidTask


def sizes_of_inputs(cell: str, input_size: int, n_actions: int | None) -> list[int]:
    """S, K, 1: how many inputs are the stimulus, the previous action one-hot, the reward.

    Args:
        cell: its name, for the message.
        input_size: S + K + 1.
        n_actions: K; None if there is no stimulus.

    Raises:
        InvalidTask: the sizes do not add up.
    """
    arms = input_size - 1 if n_actions is None else n_actions
    sizes = [input_size - 1 - arms, arms, 1]
    if min(sizes) < 0:
        raise InvalidTask(
            f"{cell} takes inputs for {arms} actions and a reward; got {input_size} inputs"
        )
    return sizes
