"""Writes ``data/cfg.json``: what transformers' own ``generate`` answers to every CFG case, with the versions used.

Run from the root of the repository: ``python -m tests.engine.make_cfg_fixture --cache-dir FOLDER`` (minutes on a CPU).
"""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path

import torch
import transformers

from playground.models import load_model
from tests.engine.cfg_cases import NUM_TOKENS, by_transformers, cases

TARGET = Path(__file__).parent / "data" / "cfg.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache-dir")
    parser.add_argument("--num-threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.num_threads)
    model = load_model("default", cache_dir=arguments.cache_dir, device="cpu")
    texts = [
        {**case._asdict(), "token_ids": by_transformers(model.hf_model, model.tokenizer, case)} for case in cases()
    ]
    header = {
        "model": model.name,
        "dtype": "float32",
        "num_tokens": NUM_TOKENS,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "python": platform.python_version(),
    }
    lines = ",\n".join("  " + json.dumps(text, ensure_ascii=False) for text in texts)
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(json.dumps(header)[:-1] + ', "texts": [\n' + lines + "\n]}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
