"""Guidance as Python: a LogitsProcessor with caches of its own, for code that is taken away to transformers.

Knows nothing about transformers itself, which is not imported here; the tests run what is written.
"""

from __future__ import annotations

from dataclasses import replace

from playground.sampling.guidance import MAX_WEIGHT, Schedule
from playground.sampling.interop.guiding import scale_of
from playground.sampling.interop.json_target import messages
from playground.sampling.interop.python_code import literal
from playground.sampling.interop.values import Notes, Setup
from playground.sampling.presets import PRESETS
from playground.sampling.recipe import Context, Recipe

SIMPLE = '''
class Guidance(LogitsProcessor):
    """Classifier-free guidance on the scale of the raw logits: scale 1 changes nothing.

    A token that either side has removed (-inf) stays removed, unless none would be left.
    Reads the negative prompt once, then every written token, with a cache of its own: make a new one for each text.
    """

    def __init__(self, model, negative_ids, scale):
        self.model, self.ids, self.scale, self.cache = model, negative_ids, scale, None

    def __call__(self, input_ids, scores):
        ids = self.ids if self.cache is None else input_ids[:, -1:]
        with torch.no_grad():
            ids = ids.expand(len(scores), -1).to(self.model.device)
            read = self.model(ids, past_key_values=self.cache, use_cache=True)
        self.cache = read.past_key_values
        negative = read.logits[:, -1].to(scores.device, scores.dtype)
        guided = scores + (self.scale - 1) * (scores.log_softmax(-1) - negative.log_softmax(-1))
        removed = scores.isneginf() | negative.isneginf()
        return torch.where(removed.all(-1, keepdim=True), scores, guided.masked_fill(removed, -torch.inf))
'''.strip("\n")

GENERAL = '''
class Branch:
    """One other branch: what it reads first, then every written token, with a cache of its own."""

    def __init__(self, model, ids, weight, temperature=1.0):
        self.model, self.ids, self.weight, self.temperature, self.cache = model, ids, weight, temperature, None

    def read(self, input_ids, rows):
        ids = self.ids if self.cache is None else input_ids[:, -1:]
        with torch.no_grad():
            ids = ids.expand(rows, -1).to(self.model.device)
            read = self.model(ids, past_key_values=self.cache, use_cache=True)
        self.cache = read.past_key_values
        return (read.logits[:, -1].to(input_ids.device).double() / self.temperature).log_softmax(-1)


class Guidance(LogitsProcessor):
    """The log-probabilities of several branches, weighed, on the scale of the prompt's raw logits.

    A token that a branch has removed (-inf) stays removed, unless none would be left.
    Make a new one for each text: the branches remember what they have read.
    """

    def __init__(self, weight, branches, mask=0.0):
        self.weight, self.branches, self.mask, self.index = weight, branches, mask, 0

    def strength(self, own, first):
        """How strongly guidance acts at this token; 0 is not at all."""
        index = self.index
STRENGTH

    def __call__(self, input_ids, scores):
        own = scores.double().log_softmax(-1)
        others = [branch.read(input_ids, len(scores)) for branch in self.branches]
        strength = self.strength(own, others[0])
        self.index += 1
        change, removed, alone = (self.weight - 1) * own, own.isneginf(), scores
        for branch, other in zip(self.branches, others):
            if branch.weight:
                change, removed = change + branch.weight * other, removed | other.isneginf()
        if self.mask:
            below = scores < scores.max(-1, keepdim=True).values + math.log(self.mask)
            removed, alone = removed | below, scores.masked_fill(below, -torch.inf)
        mixed = (scores + strength * change).to(scores.dtype).masked_fill(removed, -torch.inf)
        mixed = torch.where(removed.all(-1, keepdim=True), alone, mixed)
        return torch.where(torch.as_tensor(strength, device=scores.device) == 0, scores, mixed)
'''.strip("\n")

ENTROPY = "torch.special.entr(own.exp()).sum(-1, keepdim=True) / math.log(2)"
DIVERGENCE = """\
mean = torch.logaddexp(own, first) - math.log(2)
apart = sum((one.exp() * (one - mean)).nan_to_num(0.0).sum(-1, keepdim=True) for one in (own, first))"""


def guidance_lines(setup: Setup, recipe: Recipe, notes: Notes) -> tuple[str, str, list[str]]:
    """The source of the processor, the call that makes it, and the lines that its branches need before that."""
    scale = scale_of(recipe)
    if scale is not None:
        return SIMPLE, f"Guidance(model, negative, {literal(scale)})", negative_lines(setup)
    source = GENERAL.replace("STRENGTH", "\n".join(f"        {line}" for line in _strength(recipe)))
    lines, made = [], []
    guidance = recipe.guidance
    for number, context in enumerate(recipe.contexts, 1):
        lines += [f"branch_{number} = {_ids(setup, recipe, context)}"]
        model = "model" if not context.model else f"model_{context.model + 1}"
        if context.model:
            other = literal(f"model-{context.model + 1}")
            lines.append(f"{model} = AutoModelForCausalLM.from_pretrained({other}, dtype=torch.float32)")
            notes.hint(f"Write the name of the other model in place of {other}; it needs the same vocabulary.")
        if context.layers:
            notes.lost("A branch that reads early layers (DoLa) is written here as one that reads the last layer.")
        heat = guidance.temperatures[number - 1]
        made.append(f"Branch({model}, branch_{number}, {literal(guidance.weights[number])}"
                    f"{'' if heat == 1.0 else f', {literal(heat)}'})")  # fmt: skip
    strongest = [weight for most in _extremes(guidance.schedule) for weight in guidance.weights_at(most)]
    if any(abs(weight) == MAX_WEIGHT for weight in strongest):
        notes.lost(f"A branch's weight is held within ±{MAX_WEIGHT:g} as the schedule grows; in this code it is not.")
    mask = f", mask={literal(guidance.mask)}" if guidance.mask else ""
    return source, f"Guidance({literal(guidance.weights[0])}, [{', '.join(made)}]{mask})", lines


def negative_lines(setup: Setup) -> list[str]:
    """``negative``: the negative prompt's ids, or the prompt's last token."""
    if not setup.negative:
        return ['negative = inputs["input_ids"][:, -1:]  # the last token of the prompt, as in arXiv 2306.17806']
    if setup.chat:
        said = literal(messages(setup, negative=True))
        return [f"negative_messages = {said}", f"negative = {_templated('negative_messages')}"]
    return [f"negative_prompt = {literal(setup.negative)}", f"negative = {_encoded('negative_prompt')}"]


def _extremes(schedule: Schedule) -> tuple[float, ...]:
    """The strengths at which a schedule may go beyond the weights themselves."""
    return {"linear": (schedule.start, schedule.end), "growth": (schedule.limit,)}.get(schedule.kind, ())


def _strength(recipe: Recipe) -> list[str]:
    """The gate, then the schedule, as the lines of a function."""
    gate, schedule = recipe.gate, recipe.schedule
    lines = []
    if gate.kind == "first":
        lines += [f"if index >= {gate.tokens}:", "    return 0.0"]
    if schedule.kind == "divergence":
        lines += [*DIVERGENCE.splitlines(), f"strength = (apart / 2 / math.log(2)).clamp(min={schedule.floor!r})"]
    else:
        lines.append(f"strength = {_number(recipe)}")
    if gate.kind == "entropy":
        return [*lines, f"entropy = {ENTROPY}", f"return strength * (entropy > {gate.bits!r})"]
    return [*lines, "return strength"]


def _number(recipe: Recipe) -> str:
    schedule = recipe.schedule
    if schedule.kind == "linear":
        return f"{schedule.start!r} + ({schedule.end!r} - {schedule.start!r}) * min(1.0, index / {schedule.tokens})"
    if schedule.kind == "decay":
        return f"math.exp(-{schedule.rate!r} * index)"
    if schedule.kind == "growth":
        return f"min({schedule.limit!r}, math.expm1(min({schedule.rate!r} * index, 50.0)))"
    return "1.0"


def _ids(setup: Setup, recipe: Recipe, context: Context) -> str:
    """An expression for the ids of what a branch reads first."""
    default = PRESETS[recipe.name].default_text if recipe.name in PRESETS else ""
    typed = context.text or setup.negative or ""
    prompt = setup.prompt or ""
    if context.kind == "other" and typed:
        if setup.chat:
            return _templated(literal(messages(replace(setup, system=typed))))
        return _encoded(literal(typed))
    if context.kind in ("last", "other"):
        return f'inputs["input_ids"][:, -{context.k}:]'
    if context.kind in ("before", "after"):
        text = typed or default
        parts = [text, prompt] if context.kind == "before" else [prompt, text]
        gap = " " if all(parts) and not (parts[0][-1:].isspace() or parts[1][:1].isspace()) else ""
        joined = gap.join(parts)
        if setup.chat:
            return _templated(literal(messages(replace(setup, prompt=joined))))
        return _encoded(literal(joined))
    if context.kind == "no_system" and setup.chat:
        return _templated(literal(messages(replace(setup, system=""))))
    if context.kind == "none" and setup.chat:
        return _templated(literal(messages(replace(setup, system="", prompt=""))))
    if context.kind in ("bos", "none"):
        first, second = ("bos", "eos") if context.kind == "bos" else ("eos", "bos")
        either = (
            f"tokenizer.{first}_token_id if tokenizer.{first}_token_id is not None else tokenizer.{second}_token_id"
        )
        return f"torch.tensor([[{either}]])"
    return 'inputs["input_ids"]'


def _encoded(text: str) -> str:
    return f'tokenizer({text}, return_tensors="pt")["input_ids"]'


def _templated(said: str) -> str:
    end = 'add_generation_prompt=True, return_tensors="pt", return_dict=True)["input_ids"]'
    return f"tokenizer.apply_chat_template({said}, {end}"
