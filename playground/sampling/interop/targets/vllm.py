"""vLLM: SamplingParams and the few lines around it.

Knows nothing about other targets.
"""

from __future__ import annotations

from playground.sampling.interop.json_target import messages
from playground.sampling.interop.ordering import Fixed
from playground.sampling.interop.pasted import Pasted
from playground.sampling.interop.python_code import Code, literal
from playground.sampling.interop.reading_code import prompts_of
from playground.sampling.interop.special import Biases
from playground.sampling.interop.stages import OUTPUT_PENALTIES, Number, Stage
from playground.sampling.interop.target import Target
from playground.sampling.interop.values import Export, Notes, Setup, Taken

SMALLEST = 0.01


class Vllm(Target):
    """The whole distribution in one fixed order; no guidance."""

    name = "vllm"
    title = "vLLM"
    place = 20
    runs = "vLLM"
    language = "python"
    file_name = "sample_vllm.py"
    stages = (
        Biases("logit_bias", "map", limit=100.0),
        Stage("temperature", (Number("temperature", "temperature", high=2.0),), neutral=1.0),
        Stage("top_p", (Number("top_p", "top_p", low=1e-6),), neutral=1.0),
        Stage("top_k", (Number("top_k", "top_k"),), neutral=0, off_under=0),
        Stage("min_p", (Number("min_p", "min_p"),), neutral=0.0),
        Stage("repetition_penalty", (Number("repetition_penalty", "penalty"),), neutral=1.0, fixed={"last_n": 0}),
        *OUTPUT_PENALTIES,
    )
    order = Fixed("vLLM")
    surroundings = {"seed": "seed", "max_tokens": "max_tokens", "stop": "stop"}
    idle = {
        "n": "the page writes one text at a time",
        "logprobs": "the page shows every probability",
        "min_tokens": "the page has no shortest length",
        "skip_special_tokens": "it is about the text, not about sampling",
    }
    unguided = "has no guidance (requests #620 and #15839 were closed)"

    def write(self, setup: Setup) -> Export:
        notes = Notes()
        values = self.settings(setup, notes)
        if 0 < values["temperature"] < SMALLEST:
            notes.lost(f"vLLM raises a temperature between 0 and {SMALLEST} to {SMALLEST}.")
        if values["temperature"] == 0 and any(one.name == "typical_p" for one in setup.chain.samplers):
            notes.hint("At temperature 0 vLLM takes the likeliest token and runs no truncation.")
        if "logit_bias" in values:
            values["logit_bias"] = {int(key): bias for key, bias in values["logit_bias"].items()}
        for name in self.surroundings.values():
            value = getattr(setup, name)
            if value:
                values[name] = list(value) if name == "stop" else value
        lines = [
            "from vllm import LLM, SamplingParams",
            "",
            "settings = SamplingParams(",
            *(f"    {key}={literal(value)}," for key, value in values.items()),
            ")",
            f"llm = LLM(model={literal(setup.model or 'model')})",
            *_run(setup),
            "print(answer[0].outputs[0].text)",
        ]
        notes.hint("vLLM's logprobs are those before temperature and truncation, unless logprobs_mode says otherwise.")
        return Export("\n".join(lines) + "\n", self.language, self.file_name, tuple(notes.losses), tuple(notes.hints))

    def sees(self, pasted: Pasted) -> int:
        if "SamplingParams" not in pasted.text:
            return 0
        return 300 if next(Code(pasted.text).calls("SamplingParams"), None) else 0

    def read(self, pasted: Pasted, assume: bool) -> Taken:
        code = Code(pasted.text)
        call = next(code.calls("SamplingParams"))
        ignored = [f"{name}: it is no plain value, and code is never run here" for name in call.unread]
        return self.taken(dict(call.named), assume, ignored, **prompts_of(code))


def _run(setup: Setup) -> list[str]:
    """The call, with the prompt as completion or chat."""
    if not setup.chat:
        return [f"prompt = {literal(setup.prompt or '')}", "answer = llm.generate(prompt, settings)"]
    return [
        "messages = [",
        *(f"    {literal(message)}," for message in messages(setup)),
        "]",
        "answer = llm.chat(messages, settings)",
    ]
