"""Settings of the sampling tests: one thread, so that timings mean something on a shared machine."""

import torch

torch.set_num_threads(1)
