"""transformers: generate(**settings) where its fixed order will do, else our order as a list of processors.

Knows nothing about other targets, and does not import transformers: it only writes and reads text.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from playground.sampling.chain import Chain
from playground.sampling.interop.guided_code import guidance_lines, negative_lines
from playground.sampling.interop.guiding import scale_of
from playground.sampling.interop.json_target import messages, score
from playground.sampling.interop.ordering import Fixed
from playground.sampling.interop.pasted import Pasted
from playground.sampling.interop.processor import Processor
from playground.sampling.interop.processors import GREEDY, PROCESSORS, WINDOWED
from playground.sampling.interop.python_code import Code, literal
from playground.sampling.interop.reading_code import prompts_of, seed_of, stages_of
from playground.sampling.interop.special import Bans, Biases
from playground.sampling.interop.stages import Number, Stage
from playground.sampling.interop.target import DICE, Target
from playground.sampling.interop.values import Export, Notes, Setup, Taken
from playground.sampling.sampler import Sampler

ALMOST = 1 - 1e-12
COLDEST = 1e-4
FIFTY = "top_k=0 must be said: without it transformers keeps the 50 best tokens only."
MORE = "A model's own generation_config.json may switch on more than is set here; look into it."
NO_LIST = "its source does not fit into a few lines"


class Transformers(Target):
    """Code that runs as it is; in a list of processors every stage keeps its place."""

    name = "transformers"
    title = "transformers"
    place = 10
    runs = "transformers"
    language = "python"
    file_name = "sample_transformers.py"
    stages = (
        Biases("sequence_bias", "sequences", bans=None),
        Bans("suppress_tokens"),
        Stage("repetition_penalty", (Number("repetition_penalty", "penalty"),), neutral=1.0, fixed={"last_n": 0}),
        Stage("no_repeat_ngram", (Number("no_repeat_ngram_size", "size"),)),
        Stage("temperature", (Number("temperature", "temperature", low=COLDEST),), neutral=1.0),
        Stage("top_h", (Number("top_h", "top_h", low=1e-9),)),
        Stage("top_k", (Number("top_k", "top_k"),), neutral=0, off_under=0),
        Stage("top_p", (Number("top_p", "top_p"),), neutral=1.0),
        Stage("min_p", (Number("min_p", "min_p"),)),
        Stage("typical_p", (Number("typical_p", "typical_p", low=1e-9),)),
        Stage("epsilon_cutoff", (Number("epsilon_cutoff", "epsilon", high=ALMOST),)),
        Stage("eta_cutoff", (Number("eta_cutoff", "epsilon", high=ALMOST),)),
    )
    order = Fixed("transformers")
    surroundings = {"max_new_tokens": "max_tokens", "stop_strings": "stop"}
    signature = frozenset(
        {"transformers_version", "_from_model_config", "do_sample", "eos_token_id", "bos_token_id", "pad_token_id",
         "max_new_tokens", "epsilon_cutoff", "eta_cutoff", "suppress_tokens", "sequence_bias", "repetition_penalty"}
    )  # fmt: skip
    idle = {
        "transformers_version": "it is about the program, not about sampling",
        "_from_model_config": "it is about the program, not about sampling",
        "eos_token_id": "the model's own end tokens are used",
        "bos_token_id": "the model's own tokens are used",
        "pad_token_id": "the model's own tokens are used",
        "use_cache": "it is about speed, not about sampling",
        "tokenizer": "the model's own tokenizer is used",
        "max_length": "only a length without the prompt is known here",
        "num_beams": "beam search is chosen elsewhere",
        "penalty_alpha": "contrastive search is chosen elsewhere",
    }
    scale_key = "guidance_scale"

    def write(self, setup: Setup) -> Export:
        notes = Notes()
        plain = self._plain(setup, notes)
        if plain is None:
            body, classes, names = self._listed(setup, notes)
        else:
            body, classes, names = plain, [], []
        names = sorted({"AutoModelForCausalLM", "AutoTokenizer", *names})
        imports = "import math\n\nimport torch" if any("math." in one for one in classes) else "import torch"
        parts = [f"{imports}\nfrom transformers import {_wrapped(names)}", *classes, "\n".join(_prompts(setup))]
        shown = 'print(tokenizer.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))'
        gap = "\n\n\n" if classes else "\n\n"
        text = "\n\n\n".join(parts[:-1]) + gap + "\n".join([parts[-1], *body, shown]) + "\n"
        notes.hint(FIFTY)
        notes.hint(MORE)
        notes.hint(DICE)
        return Export(text, self.language, self.file_name, tuple(notes.losses), tuple(notes.hints))

    def _plain(self, setup: Setup, notes: Notes) -> list[str] | None:
        """The call with its settings alone, or None where these cannot say it."""
        chain, greedy = _greedy(setup.chain)
        scale = scale_of(setup.guidance) if setup.guided and setup.guidance is not None else None
        if setup.guided and (scale is None or any(not one.shift_invariant for one in chain.samplers)):
            return None  # their guidance turns scores into log-probabilities, which a repetition penalty reads as such
        trial = Notes()
        values = self.settings(replace(setup, chain=chain, guidance=None), trial)
        if trial.losses or values["temperature"] == 0:
            return None
        if scale is not None:
            values["guidance_scale"] = scale
            notes.hint(
                "guidance_scale works on log-probabilities: a repetition penalty added to it acts on those, "
                "where every score is negative, and not as it does here."
            )
            notes.hint("guidance_scale is right for one text at a time: with num_return_sequences or beams it fails.")
        if greedy:
            values = {key: value for key, value in values.items() if key not in WARPERS}
        values = {"do_sample": not greedy, **values}
        negative = ["negative_prompt_ids=negative"] if scale is not None else []
        before = negative_lines(setup) if scale is not None else []
        return before + _call(setup, [f"{key}={literal(value)}" for key, value in values.items()] + negative)

    def _listed(self, setup: Setup, notes: Notes) -> tuple[list[str], list[str], list[str]]:
        """The call with a list of processors in our order: its lines, the classes it needs, the names to import."""
        made: list[str] = []
        before: list[str] = []
        classes: dict[str, str] = {}
        names = {"LogitsProcessorList"}
        if setup.guided and setup.guidance is not None:
            classes["Guidance"], call, before = guidance_lines(setup, setup.guidance, notes)
            made.append(call)
            notes.hint("The guidance processor holds a cache of its own: make a new list for every text.")
        for sampler in setup.chain.samplers:
            if sampler.is_off:
                continue
            processor = _processor(sampler)
            if processor is None:
                notes.lost(f"{sampler.title} is left out: transformers has none, and {NO_LIST}.")
                continue
            if processor is GREEDY and sampler.temperature:  # type: ignore[attr-defined]
                notes.lost(f"A temperature below {COLDEST:g} is written as 0: it would leave the numbers' range.")
            if sampler != self.by_its_rule(sampler):
                notes.lost(f"{sampler.title} follows our rule in this code.")
            processor.say(sampler, notes)
            made.append(f"{processor.name}({', '.join(literal(value) for value in processor.arguments(sampler))})")
            if processor.source:
                classes[processor.name] = processor.source
            else:
                names.add(processor.name)
        if classes:
            names.add("LogitsProcessor")
        listed = ["processors = LogitsProcessorList(", "    [", *(f"        {one}," for one in made), "    ]", ")"]
        off = ["logits_processor=processors", "do_sample=True", "temperature=1.0", "top_k=0", "top_p=1.0",
               "repetition_penalty=1.0"]  # fmt: skip
        return [*before, *listed, *_call(setup, off)], list(classes.values()), sorted(names)

    def sees(self, pasted: Pasted) -> int:
        data = pasted.data
        if isinstance(data, dict):
            return score(self, data)
        if not any(word in pasted.text for word in ("LogitsProcessorList", "GenerationConfig", ".generate(")):
            return 0
        code = Code(pasted.text)
        return 200 if any(code.calls("LogitsProcessorList", "GenerationConfig", "generate")) else 0

    def read(self, pasted: Pasted, assume: bool) -> Taken:
        if isinstance(pasted.data, dict):
            return self._sampled(dict(pasted.data), [], assume, [])
        code = Code(pasted.text)
        values: dict[str, Any] = {}
        ignored: list[str] = []
        for call in code.calls("GenerationConfig", "generate"):
            values |= call.named
            silent = {"logits_processor", "generation_config", "tokenizer", "negative_prompt_ids", "**"}
            ignored += [f"{name}: it is no plain value, and code is never run" for name in call.unread
                        if name not in silent]  # fmt: skip
        listed, scale = stages_of(code.items("LogitsProcessorList"), ignored)
        if scale is not None:
            values["guidance_scale"] = scale
        return self._sampled(values, listed, assume, ignored, **prompts_of(code), **seed_of(code))

    def _sampled(
        self, values: dict[str, Any], listed: list[Sampler], assume: bool, ignored: list[str], **around: Any
    ) -> Taken:
        """Settings and a list of processors as one chain: biases and penalties, the list, then the warpers."""
        samples = values.pop("do_sample", None)
        taken = self.taken(values, assume, ignored, **around)
        found = taken.setup.chain.samplers
        place = sum(one.kind == "penalty" for one in found)
        chain = Chain((*found[:place], *listed, *found[place:]))
        unsaid = taken.unsaid
        if samples is False or (samples is None and assume):
            warpers = [one.title for one in found if one.kind != "penalty"]
            if warpers:
                ignored = [*taken.ignored, f"{', '.join(warpers)}: without do_sample=True they do not run"]
                taken = replace(taken, ignored=tuple(ignored))
            chain = Chain((*found[:place], *listed, GREEDY_STAGE))
        elif samples is None:
            unsaid = (*unsaid, "do_sample False (greedy), unless the model says otherwise")
        return replace(taken, setup=replace(taken.setup, chain=chain), unsaid=unsaid)


GREEDY_STAGE = Chain.from_json([{"sampler": "temperature", "temperature": 0.0}]).samplers[0]
WARPERS = {"temperature", "top_h", "top_k", "top_p", "min_p", "typical_p", "epsilon_cutoff", "eta_cutoff"}


def _greedy(chain: Chain) -> tuple[Chain, bool]:
    """A chain with temperature 0 as what must run before the likeliest token is taken, if that says it all."""
    for place, sampler in enumerate(chain.samplers):
        if getattr(sampler, "temperature", None) == 0 and sampler.name == "temperature":
            before = [one for one in chain.samplers[:place] if not one.is_off]
            # A bend may round two scores to one, so it must run; a cut that keeps the best one need not.
            if all(one.kind == "penalty" or (one.kind == "truncate" and one.keeps_argmax) for one in before):
                return Chain(tuple(one for one in before if one.kind == "penalty")), True
    return chain, False


def _processor(sampler: Sampler) -> Processor | None:
    if sampler.name == "temperature" and sampler.temperature < COLDEST:  # type: ignore[attr-defined]
        return GREEDY
    if sampler.name == "repetition_penalty" and sampler.last_n:  # type: ignore[attr-defined]
        return WINDOWED
    return PROCESSORS.get(sampler.name)


def _wrapped(names: list[str]) -> str:
    line = ", ".join(names)
    return line if len(line) < 80 else "(\n" + "".join(f"    {name},\n" for name in names) + ")"


def _prompts(setup: Setup) -> list[str]:
    """Model, tokenizer and both prompts; the seed where there is one."""
    model = literal(setup.model or "model")
    lines = [f"tokenizer = AutoTokenizer.from_pretrained({model})",
             f"model = AutoModelForCausalLM.from_pretrained({model}, dtype=torch.float32)"]  # fmt: skip
    template = 'tokenizer.apply_chat_template({}, add_generation_prompt=True, return_tensors="pt", return_dict=True)'
    if setup.chat:
        lines += [f"messages = {literal(messages(setup))}", f"inputs = {template.format('messages')}"]
    else:
        lines += [f"prompt = {literal(setup.prompt or '')}", 'inputs = tokenizer(prompt, return_tensors="pt")']
    return [*lines, *([f"torch.manual_seed({setup.seed})"] if setup.seed is not None else [])]


def _call(setup: Setup, arguments: list[str]) -> list[str]:
    if setup.max_tokens is not None:
        arguments = [*arguments, f"max_new_tokens={setup.max_tokens}"]
    if setup.stop:
        arguments = [*arguments, f"stop_strings={literal(list(setup.stop))}", "tokenizer=tokenizer"]
    return ["output = model.generate(", *(f"    {one}," for one in ["**inputs", *arguments]), ")"]
