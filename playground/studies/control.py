"""Study: distributional control from a script. Draw a pool once, say what texts should be like, sample them.

Knows nothing about pages. Everything but ``draw`` and ``sample`` is arithmetic on the pool and answers at once.

    with pg.Engine(pg.load_model("default")) as engine:
        study = pg.Study(engine, "The movie was absolutely", ["amazing"], max_tokens=16, seed=7)
        study.draw(768)
        fit = study.fit([0.5])                      # half of the texts shall say "amazing"
        print(fit.exponents, fit.status, fit.base_moments)
        print(study.curve().tvd)
        for text in study.sample(5, acceptance_rate=0.1):
            print(text.text)
        print(study.ending)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from typing import Any

import numpy as np

from playground.control.arrays import Floats
from playground.control.curve import Curve
from playground.control.evaluation import Evaluator
from playground.control.features import Feature, features
from playground.control.fit import Fit
from playground.control.pool import Pool
from playground.control.stopping import StoppingRule
from playground.control.texts import Text, Tools
from playground.engine import Branch, Engine
from playground.engine.writing import chat_ids, text_ids
from playground.errors import PlaygroundError
from playground.models import Model
from playground.models.adapters import Shape
from playground.models.tuner import Tuner
from playground.sampling import Chain, cfg
from playground.studies.analysis import Analysis, ratio_to
from playground.studies.collecting import Aim, Collection, collect
from playground.studies.control_json import curve_json, fit_json
from playground.studies.drawing import Drawing
from playground.studies.fresh_texts import FreshTexts
from playground.studies.proposals import Proposal, numbered, prompted, tuned
from playground.studies.text_tools import script_tools
from playground.studies.tuning import Tuning
from playground.studies.tuning_runs import goal_of
from playground.studies.tuning_settings import TuningSettings

Progress = Callable[[dict[str, Any]], None]


class Study:
    """One target over what is written after one prompt, or after several."""

    def __init__(
        self,
        engine: Engine,
        prompt: str | Sequence[str],
        of: Sequence[Any] = (),
        *,
        max_tokens: int = 32,
        chain: Chain | None = None,
        guidance_scale: float = 1.0,
        negative_prompt: str | None = None,
        proposal_prompt: str | None = None,
        chat: bool = False,
        seed: int = 0,
        tools: Tools | None = None,
    ) -> None:
        """``of``: features, as JSON (a plain word means *contains*) or made with ``control.features.from_function``.

        Texts are drawn from the model after ``prompt``, or from a proposal: under ``chain`` and guidance, or after
        ``proposal_prompt`` instead. Whatever draws them, the target is near the model after ``prompt``.
        """
        self.engine, self.seed, self.chat = engine, seed, chat
        self.pool = Pool()
        self.ending = ""
        """Why ``sample`` stopped."""
        self.collection: Collection | None = None
        """All that ``sample`` has proposed, the rejected too, with what decided on each; ``to_json()`` for a file."""
        self.fitted: Fit | None = None
        self._evaluator, self._num_drawn = Evaluator(), 0
        tools = tools or script_tools()
        self.features = tuple(one if isinstance(one, Feature) else features(one, tools)[0] for one in of)
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        if not prompts:
            raise PlaygroundError("Name at least one prompt.")
        self.proposals = [
            self._proposal(text, max_tokens, chain, guidance_scale, negative_prompt, proposal_prompt)
            for text in prompts
        ]

    def proposed_by(self, model: Model) -> Study:
        """This study with an empty pool and texts written by another model of the same vocabulary: a tuned one
        (``tuning.tuner.snapshot()``), say. The target stays what it is, near the engine's own model."""
        other = copy(self)
        other.pool, other.ending, other.collection, other._num_drawn = Pool(), "", None, 0
        other.proposals = [tuned(one.context, one.prompt_ids, model, one.max_tokens) for one in self.proposals]
        return other

    # The pool

    def draw(self, num_texts: int, progress: Progress | None = None) -> Pool:
        """Add so many texts (of each prompt) to the pool; nothing that is there is drawn or scored again."""
        first = self._reserved(num_texts)
        for number in range(len(self.proposals)):
            self.pool = self.pool.with_rows(self._draw(number, num_texts, first, progress))
        return self.pool

    @property
    def analysis(self) -> Analysis:
        """The pool seen through the features."""
        return Analysis.of(self.pool, self.features, self._evaluator)

    # The target

    def fit(self, targets: Any, contexts: str = "pooled") -> Fit:
        """Exponents under which the features have these means; all that follows is of this target.

        Of several prompts ``contexts`` says how they are meant: ``pooled`` (one set of exponents for the joint
        distribution, where prompts to which the target comes easily count more), ``averaged`` (one set, every prompt
        keeps its share) or ``each`` (every prompt meets them with exponents of its own; ``targets`` may then be one
        row a prompt)."""
        self.fitted = self.analysis.fit(targets, contexts)
        return self.fitted

    def fit_contexts(self, targets: Sequence[float]) -> dict[str, Any]:
        """Pooled, averaged and per-prompt exponents side by side; ``fit`` chooses one of them."""
        return self.analysis.fit_contexts(targets)

    def curve(self, log_betas: Floats | None = None) -> Curve:
        """What acceptance rate buys how much divergence from the target, for the proposal the pool is drawn from."""
        analysis = self.analysis
        return analysis.curve(analysis.log_ratio(self._target()), log_betas)

    def tuning(self, **settings: Any) -> Tuning:
        """A run that teaches an adapter to write the target: ``for view in study.tuning(num_steps=8).run(): ...``. The
        settings are those of TuningSettings; the tuned model is the run's ``tuner.snapshot()``, for an Engine."""
        prompts = {one.context: one.prompt_ids for one in self.proposals}
        goal = goal_of(self.analysis, self._target().log_tilt, prompts, self._evaluator, self.engine.model)
        wanted = TuningSettings(**{"max_tokens": self.proposals[0].max_tokens, "seed": self.seed, **settings})
        return Tuning(Tuner(self.engine.model, Shape(seed=wanted.seed)), goal, wanted)

    # Texts of the target

    def resample(self, num_texts: int) -> list[Text]:
        """Importance resampling: texts of the pool again, in proportion to their weight under the target."""
        analysis = self.analysis
        rows = analysis.resampled(analysis.log_ratio(self._target()), num_texts, self.seed)
        return [analysis.pool.texts[row] for row in rows]

    def sample(
        self,
        num_accepted: int | None,
        *,
        acceptance_rate: float | None = None,
        log_beta: float | None = None,
        max_proposals: int = 10_000,
        precision: float | None = None,
    ) -> Iterator[Text]:
        """Quasi-rejection on fresh proposals, a text as soon as it is accepted; ``ending`` says why it stopped.

        β by itself, or by the acceptance rate that it has on the pool; without either the largest ratio the pool has
        seen, as near to exact as the pool can tell.
        """
        fitted, curve = self._target(), self.curve()
        if log_beta is None:
            log_beta = curve.ratios.log_largest if acceptance_rate is None else curve.log_beta_for(acceptance_rate)
        expected = float(self.curve(np.array([log_beta])).acceptance_rate[0])
        rule = StoppingRule(num_accepted, max_proposals, precision, expected)
        return self._sampled(fitted, log_beta, rule)

    def to_json(self) -> dict[str, Any]:
        """Pool, features, exponents, curve and seed: enough to go on elsewhere."""
        fitted = self.fitted
        curve = self.curve() if fitted is not None else None
        return {
            "model": self.engine.model.name,
            "seed": self.seed,
            "features": [one.to_json() for one in self.features],
            "pool": self.pool.to_json(),
            "fit": None if fitted is None else fit_json(fitted),
            "curve": None if curve is None else curve_json(curve),
        }

    def _sampled(self, fitted: Fit, log_beta: float, rule: StoppingRule) -> Iterator[Text]:
        self.ending = ""
        source = FreshTexts(self.engine, self.proposals, self.seed, rule.max_proposals, self._reserved)
        aim = Aim(self.features, ratio_to(fitted), log_beta, rule)
        self.collection = Collection(aim, self._evaluator)
        try:
            yield from collect(source, self.collection)
        finally:
            self.ending = self.collection.ending

    def _reserved(self, num_texts: int) -> int:
        """So many numbers that no text has had, of every prompt; the first of them."""
        first, self._num_drawn = self._num_drawn, self._num_drawn + num_texts
        return first

    def _draw(self, number: int, num_texts: int, first: int, progress: Progress | None) -> Pool:
        """Texts of one of the prompts."""
        proposal = self.proposals[number]
        drawing = Drawing.start(self.engine, proposal, num_texts, self.seed, numbered(number, first))
        for _ in drawing.run():
            if progress is not None:
                progress(drawing.progress())
        return drawing.pool

    def _target(self) -> Fit:
        if self.fitted is None:
            raise PlaygroundError("Say first what the texts should be like: call fit with a target for each feature.")
        return self.fitted

    def _proposal(
        self,
        prompt: str,
        max_tokens: int,
        chain: Chain | None,
        guidance_scale: float,
        negative_prompt: str | None,
        proposal_prompt: str | None,
    ) -> Proposal:
        model = self.engine.model
        encode = chat_ids if self.chat else text_ids
        prompt_ids = encode(model, prompt)
        if proposal_prompt is not None:
            if chain is not None or guidance_scale != 1.0:
                raise PlaygroundError("A proposal is another prompt, or a chain and guidance; not both at once.")
            return prompted(prompt, prompt_ids, encode(model, proposal_prompt), max_tokens)
        others = () if negative_prompt is None else (Branch(encode(model, negative_prompt)),)
        return Proposal(prompt, prompt_ids, max_tokens, chain or Chain(), cfg(guidance_scale), others)
