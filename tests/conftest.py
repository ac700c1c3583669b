"""One torch thread, as in every run: two give other bits, and spin where cores are shared."""

import torch

torch.set_num_threads(1)
