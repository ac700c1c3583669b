"""Head scores of the induction probe against TransformerLens's detector, on the same tokens.

TransformerLens is no dependency of metalocus: ``pip install transformer_lens`` in an environment of
its own that has metalocus, then ``python docs/probes/transformer_lens_heads.py``.
"""

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from transformer_lens.head_detector import detect_head

from metalocus.agents.catalogue import make_named
from metalocus.envs import Setting
from metalocus.experiments.instruments.attention import (
    Heads,
    duplicate_token,
    head_score,
    prefix_matching,
    previous_token,
)
from metalocus.experiments.probes.induction import RepeatedHistories

PATTERNS = {
    "previous_token_head": previous_token,
    "duplicate_token_head": duplicate_token,
    "induction_head": prefix_matching,
}
SETTING = Setting("metalocus/CueBinding-v0", cues="fixed", n_cues=4, n_arms=3, horizon=24)


def main() -> None:
    """Print both scores of every head, over all random repeated histories."""
    agent: Any = make_named("induction_head", SETTING.family)
    repeated, heads = RepeatedHistories(agent, SETTING, 0), Heads(agent)
    attention, steps = heads.attention(repeated.x), SETTING.family.horizon
    config = SimpleNamespace(
        n_layers=2, n_heads=2, n_ctx=steps + 1, device="cpu", dtype=torch.float64
    )
    model: Any = SimpleNamespace(cfg=config, to_tokens=lambda tokens: tokens)
    worst = 0.0
    for name, pattern in PATTERNS.items():
        found = []
        for i, tokens in enumerate(repeated.tokens):
            ours = head_score(attention[:, i], pattern(tokens[None])[0])
            cache: Any = {
                ("pattern", layer, "attn"): torch.from_numpy(attention[layer, i]).double()
                for layer in range(2)
            }
            theirs = detect_head(model, torch.from_numpy(tokens)[None], name, cache=cache)
            found.append((ours, theirs.numpy()))
        ours, theirs = np.mean(found, axis=0)
        worst = max(worst, float(np.abs(np.subtract(*zip(*found, strict=True))).max()))
        print(f"{name}: ours {ours.ravel().round(6)}, theirs {theirs.ravel().round(6)}")
    print(f"largest difference of any head on any history: {worst:.1e}")


if __name__ == "__main__":
    main()
