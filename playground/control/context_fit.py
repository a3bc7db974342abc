"""What is known of a target over several prompts: its weights, its figures, and each prompt's part of it.

Knows nothing about how exponents are found. P(c, x) = τ_c a(x|c) exp(λ_c·φ(x)) / K_c, K_c being 1 or Z_c.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from playground.control import arrays
from playground.control.arrays import Floats
from playground.control.contexts import ContextRows, quoted
from playground.control.dual import log_sum_exp
from playground.control.fit import Fit, in_words, shaky
from playground.control.pareto import pareto_k
from playground.control.scaling import Scaling
from playground.control.tilt import Tilt
from playground.errors import PlaygroundError


@dataclass(frozen=True)
class Part:
    """One prompt's part of the target."""

    label: Any
    num_rows: int
    share: float
    """Under the target; 1/C each where prompts keep their shares."""
    base_moments: Floats
    """float64[F], of this prompt alone, as all that follows."""
    moments: Floats
    """NaN where the target leaves nothing of this prompt."""
    exponents: Floats
    standard_errors: Floats
    """Of the exponents; those of all prompts together where they share them."""
    log_z: float
    """log of the base mean of exp(λ_c·φ)."""
    kl: float
    """KL(p_c‖base), nats."""
    ess: float


@dataclass(frozen=True)
class ContextFit(Fit):
    """A Fit over several prompts. ``exponents`` (and their errors) are NaN where every prompt has its own;
    ``log_z`` is 0 where every K_c = Z_c."""

    way: str
    tilts: tuple[Tilt, ...]
    """One a prompt."""
    log_constants: Floats
    """float64[C]: log K_c."""
    parts: tuple[Part, ...]

    def log_tilt(self, features: Any, contexts: Sequence[Any] | None = None) -> Floats:
        """float64[N]: λ_c·φ of any rows, and -inf for those that a filter excludes."""
        if self.way == "pooled":
            return self.tilts[0].log_factor(features)
        table = arrays.table(features, "features")
        numbers = self._numbers(contexts, len(table))
        factor = np.full(len(table), -np.inf)
        for number, tilt in enumerate(self.tilts):
            own = numbers == number
            if own.any():
                factor[own] = tilt.log_factor(table[own])
        return factor

    def log_factor(self, features: Any, contexts: Sequence[Any] | None = None) -> Floats:
        """float64[N]: log P/a of any rows, λ_c·φ - log K_c."""
        factor = self.log_tilt(features, contexts)
        if self.way == "pooled":
            return factor
        return factor - self.log_constants[self._numbers(contexts, len(factor))]

    def _numbers(self, contexts: Sequence[Any] | None, num_rows: int) -> NDArray[np.int64]:
        """int64[N]: which prompt each row follows."""
        if contexts is None or len(contexts) != num_rows:
            raise PlaygroundError("This target differs from prompt to prompt: name the prompt of every row.")
        numbers = {part.label: number for number, part in enumerate(self.parts)}
        unknown = next((label for label in contexts if label not in numbers), None)
        if unknown is not None:
            raise PlaygroundError(f"The target was not made for the prompt {quoted(unknown)}; fit it anew.")
        return np.array([numbers[label] for label in contexts], dtype=np.int64)


@dataclass(frozen=True)
class Made:
    """What decides a target; everything else is figures."""

    way: str
    tilts: tuple[Tilt, ...]
    wanted: Floats | None
    """None: whatever moments the tilts have."""
    status: str
    """Empty: as the weights turn out."""
    warnings: list[str]
    num_iterations: int


@dataclass(frozen=True)
class _Weighed:
    """Rows under the base and under the target."""

    probabilities: Floats
    """float64[N], summing to 1."""
    base: Floats
    """float64[N], summing to 1."""
    log_sums: Floats
    """float64[C]: log τ_c Z_c, with the base's own normalisation."""
    log_base_sums: Floats
    log_constants: Floats
    log_z: float

    @classmethod
    def of(cls, rows: ContextRows, made: Made) -> _Weighed:
        base = rows.joint_log_weights()
        scores, num_prompts = base.copy(), len(rows.labels)
        log_sums, log_base_sums = np.zeros(num_prompts), np.zeros(num_prompts)
        for number, tilt in enumerate(made.tilts):
            own = (rows.which == number) & (base > -np.inf)
            scores[own] += tilt.log_factor(rows.features[own])
            log_sums[number], log_base_sums[number] = log_sum_exp(scores[own]), log_sum_exp(base[own])
        if made.way == "pooled":
            log_constants, total, base_total = np.zeros(num_prompts), log_sum_exp(scores), log_sum_exp(base)
            base_constants = np.full(num_prompts, base_total)
        else:
            log_constants, total, base_total = log_sums - np.log(rows.shares), 0.0, 0.0
            base_constants = log_base_sums - np.log(rows.shares)
        probabilities = np.exp(scores - log_constants[rows.which] - total)
        base = np.exp(base - base_constants[rows.which])
        return cls(probabilities, base, log_sums, log_base_sums, log_constants, total - base_total)


def described(rows: ContextRows, made: Made, errors: Floats | None = None, residual: float | None = None) -> ContextFit:
    """All figures of a target. ``errors`` float64[C,F]: of the exponents, where every prompt has its own."""
    weighed, support = _Weighed.of(rows, made), rows.log_weights > -np.inf
    probabilities, base = weighed.probabilities, weighed.base
    origin = np.zeros(rows.features.shape[1]) if made.wanted is None else made.wanted  # near the rows: digits are kept
    known = np.where(support[:, None], rows.features - origin, 0.0)
    gaps, base_gaps = probabilities @ known, base @ known
    moments = origin + gaps
    wanted = moments if made.wanted is None else made.wanted
    if errors is None:
        errors = np.tile(_errors(rows, made, wanted, probabilities), (len(rows.labels), 1))
    parts = tuple(_part(rows, number, made, weighed, errors[number]) for number in range(len(rows.labels)))
    limits = np.array([part.exponents for part in parts])
    common = (limits == limits[0]).all(axis=0)
    ess, k = float(1 / (probabilities**2).sum()), pareto_k(probabilities[support])
    warnings = made.warnings + ([] if rows.enumerated else shaky(ess, k, int(support.sum())))
    own_bases = np.array([part.base_moments for part in parts]) - origin
    centres = base_gaps if made.way == "pooled" else own_bases[rows.which]
    return ContextFit(
        exponents=np.where(common, limits[0], np.nan),
        status=made.status or in_words(warnings),
        residual=float(np.abs(moments - wanted).max(initial=0.0)) if residual is None else residual,
        ess=ess,
        standard_errors=np.where(common, errors[0], np.nan),
        largest_share=float(probabilities.max()),
        pareto_k=k,
        moments=moments,
        base_moments=origin + base_gaps,
        base_errors=np.sqrt(base**2 @ (known - centres) ** 2),
        log_z=weighed.log_z,
        kl=_kl(rows, made, parts, moments, weighed.log_z),
        num_iterations=made.num_iterations,
        probabilities=probabilities,
        finite_exponents=made.tilts[0].exponents,
        directions=made.tilts[0].directions,
        heights=made.tilts[0].heights,
        targets=wanted,
        way=made.way,
        tilts=made.tilts,
        log_constants=weighed.log_constants,
        parts=parts,
    )


def _kl(rows: ContextRows, made: Made, parts: Sequence[Part], moments: Floats, log_z: float) -> float:
    """KL(p‖base) over prompts and rows together, nats; where prompts keep their shares the mean of their own."""
    if made.way == "pooled":
        return float(moments @ made.tilts[0].exponents) - log_z
    return float(rows.shares @ np.array([part.kl for part in parts]))


def _errors(rows: ContextRows, made: Made, wanted: Floats, probabilities: Floats) -> Floats:
    """float64[F]: the shared exponents' standard errors; where shares are kept, prompts' means do not scatter."""
    if rows.enumerated:
        return np.zeros(wanted.size)
    used = probabilities > 0
    table, which, weights = rows.features[used], rows.which[used], probabilities[used]
    scaling = Scaling.of(table, wanted)
    if made.way != "pooled":
        means = [weights[which == number] @ table[which == number] for number in range(len(rows.labels))]
        table = table - (np.array(means) / rows.shares[:, None])[which] + wanted
    return scaling.errors(table, wanted, weights)


def _part(rows: ContextRows, number: int, made: Made, weighed: _Weighed, errors: Floats) -> Part:
    own = rows.which == number
    table = np.where((rows.log_weights[own] > -np.inf)[:, None], rows.features[own], 0.0)
    probabilities, base = weighed.probabilities[own], weighed.base[own]
    share = float(probabilities.sum())
    with np.errstate(invalid="ignore"):
        moments = probabilities @ table / share
        ess = float(share**2 / (probabilities**2).sum())
    tilt, log_z = made.tilts[number], float(weighed.log_sums[number] - weighed.log_base_sums[number])
    return Part(
        label=rows.labels[number],
        num_rows=int(own.sum()),
        share=share,
        base_moments=base @ table / base.sum(),
        moments=moments,
        exponents=tilt.limits,
        standard_errors=np.where(np.isinf(tilt.limits), np.nan, errors),
        log_z=log_z,
        kl=float(moments @ tilt.exponents) - log_z,
        ess=ess,
    )
