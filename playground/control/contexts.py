"""One target over several prompts: pooled, averaged or per-prompt exponents, which differ as soon as the prompts do.

Knows nothing about what a prompt is. *Pooled* fits the moments of the joint distribution, in which prompts with a
larger Z_c count more; *averaged* keeps every prompt's share (arXiv 2112.00791); *per prompt* meets the target in each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from playground.control import arrays, refusals
from playground.control.arrays import Floats
from playground.control.dual import Dual, log_sum_exp
from playground.control.faces import filtered
from playground.control.fit import FAR_SCORE, Fit, fit, minimise
from playground.control.hull import face
from playground.control.newton import Minimum, gradually
from playground.control.scaling import Scaling
from playground.control.tilt import Tilt
from playground.errors import PlaygroundError

NO_WEIGHTING = "no weighting of these rows has these means"
MAX_LABEL = 40
"""Characters of a prompt that a sentence shows."""


@dataclass(frozen=True)
class ContextRows:
    """A pool over several prompts. ``log_weights`` as for ``fit``: log a - log q of draws, or, ``enumerated``, log a
    over each prompt's whole support. ``contexts`` names each row's prompt; ``shares`` what a prompt counts."""

    features: Floats
    log_weights: Floats
    which: NDArray[np.int64]
    """int64[N]: the number of each row's prompt."""
    labels: tuple[Any, ...]
    shares: Floats
    """float64[C], summing to 1."""
    enumerated: bool

    @classmethod
    def of(
        cls,
        features: Any,
        log_weights: Any,
        contexts: Sequence[Any],
        shares: Mapping[Any, float] | None = None,
        enumerated: bool = False,
    ) -> ContextRows:
        """Checked; every prompt counts alike where no shares are given."""
        table = arrays.table(features, "features")
        weights = arrays.log_values(log_weights, "log_weights", len(table))
        if len(contexts) != len(table):
            raise PlaygroundError(f"contexts names {len(contexts)} rows and features has {len(table)}.")
        labels = tuple(dict.fromkeys(contexts))
        given = np.array([1.0 if shares is None else float(shares.get(label, 0.0)) for label in labels])
        if not (given > 0).all() or not np.isfinite(given).all():
            raise PlaygroundError("Every prompt needs a share above 0.")
        numbers = {label: number for number, label in enumerate(labels)}
        which = np.array([numbers[label] for label in contexts])
        for number, label in enumerate(labels):
            if not (weights[which == number] > -np.inf).any():
                raise PlaygroundError(f"Prompt {quoted(label)}: {refusals.no_rows(int((which == number).sum()))}")
        return cls(table, weights, which, labels, given / given.sum(), enumerated)

    def joint_log_weights(self) -> Floats:
        """float64[N]: log weights under which the prompts together follow their shares at exponents 0."""
        sizes = np.ones(len(self.labels)) if self.enumerated else np.bincount(self.which)
        return self.log_weights + np.log(self.shares / sizes)[self.which]

    def moments(self, log_factor: Floats) -> Floats:
        """float64[C,F]: each prompt's own moments where every row is weighted by the factor too."""
        scores = self.log_weights + log_factor
        means = []
        for number in range(len(self.labels)):
            rows = self.which == number
            own = scores[rows]
            means.append(np.exp(own - log_sum_exp(own)) @ self.features[rows])
        return np.array(means)

    def averaged_moments(self, log_factor: Floats) -> Floats:
        """float64[F]: the mean of the prompts' moments."""
        return self.shares @ self.moments(log_factor)


@dataclass(frozen=True)
class Averaged:
    """Exponents float64[F] under which the mean of the prompts' own moments is the target."""

    exponents: Floats
    status: str
    residual: float
    moments: Mapping[Any, Floats]
    """Each prompt's own, float64[F]."""


def fit_pooled(rows: ContextRows, targets: Any, names: Sequence[str] | None = None) -> Fit:
    """One set of exponents; the moments of the joint distribution are the targets, and prompts shift their shares."""
    return fit(rows.features, rows.joint_log_weights(), targets, names=names, enumerated=rows.enumerated)


def fit_per_context(rows: ContextRows, targets: Any, names: Sequence[str] | None = None) -> dict[Any, Fit | str]:
    """The targets met in every prompt by exponents of its own; where that is impossible, the reason as a text.
    ``targets``: float64[F], or float64[C,F] where the prompts want different things."""
    wanted = arrays.floats(targets, "targets")
    wanted = np.broadcast_to(wanted, (len(rows.labels), wanted.size)) if wanted.ndim < 2 else wanted
    if len(wanted) != len(rows.labels):
        raise PlaygroundError(f"targets has {len(wanted)} rows and there are {len(rows.labels)} prompts.")
    fits: dict[Any, Fit | str] = {}
    for number, label in enumerate(rows.labels):
        own = rows.which == number
        try:
            fits[label] = fit(
                rows.features[own], rows.log_weights[own], wanted[number], names=names, enumerated=rows.enumerated
            )
        except PlaygroundError as refusal:
            fits[label] = str(refusal)
    return fits


def fit_averaged(rows: ContextRows, targets: Any, names: Sequence[str] | None = None) -> Averaged:
    """One set of exponents; every prompt keeps its share, and the mean of their moments is the target."""
    wanted = arrays.vector(targets, "targets", rows.features.shape[1])
    shared = solve_averaged(rows, wanted, names)
    moments = rows.moments(shared.tilt.log_factor(rows.features))
    return Averaged(
        shared.tilt.limits,
        "converged" if shared.minimum.settled else "not_converged",
        float(np.abs(rows.shares @ moments - wanted).max()),
        dict(zip(rows.labels, moments, strict=True)),
    )


@dataclass(frozen=True)
class Shared:
    """The averaged dual, solved: one tilt for all prompts."""

    tilt: Tilt
    scaling: Scaling
    minimum: Minimum


def solve_averaged(rows: ContextRows, wanted: Floats, names: Sequence[str] | None) -> Shared:
    """The tilt under which the mean of the prompts' own moments is ``wanted`` float64[F]."""
    if not np.isfinite(wanted).all():
        raise PlaygroundError("A target must be a finite number.")
    names = arrays.names_of(names, wanted.size)
    kept, directions = filtered(rows.features, wanted, rows.log_weights > -np.inf, names)
    used = np.flatnonzero(kept)[np.argsort(rows.which[kept], kind="stable")]
    groups = rows.which[used]
    for number, label in enumerate(rows.labels):
        if not (groups == number).any():
            raise PlaygroundError(f"Prompt {quoted(label)}: {refusals.no_rows(int((rows.which == number).sum()))}")
    scaling = Scaling.of(rows.features[used], wanted)
    if scaling.outside is not None:
        raise refusals.not_together(names, wanted, scaling.outside, rows.features[used])
    starts = tuple(int(place) for place in np.searchsorted(groups, np.arange(len(rows.labels))))
    dual = Dual(scaling.rows(rows.features[used]), rows.log_weights[used], starts, tuple(map(float, rows.shares)))
    minimum = minimise(dual)
    far = float(np.abs(dual.rows @ minimum.exponents).max(initial=0.0)) > FAR_SCORE
    if not minimum.settled or far:
        _check_inside(dual, groups, rows.shares)
        minimum = minimum if minimum.settled else gradually(dual)
    centred = rows.features[rows.log_weights > -np.inf] - wanted
    return Shared(Tilt.of(scaling.exponents(minimum.exponents), directions, wanted, centred), scaling, minimum)


def quoted(label: Any) -> str:
    """A prompt in a sentence: its beginning."""
    text = str(label)
    return f"“{text if len(text) <= MAX_LABEL else text[:MAX_LABEL] + '…'}”"


def _check_inside(dual: Dual, groups: NDArray[np.int64], shares: Floats) -> None:
    """PlaygroundError unless weights above 0 on all rows keep the shares and meet the targets. Such weights are a point
    inside the hull of the rows that say by how much each misses the targets, and each prompt its share."""
    memberships = (groups[:, None] == np.arange(len(shares))) - shares
    on = face(np.concatenate([dual.rows, memberships], axis=1))
    if on.support.all():
        return
    fact = "these means are at the very edge of what these rows allow" if on.inside else NO_WEIGHTING
    raise PlaygroundError(
        f"With every prompt keeping its share, {fact}. Move the targets, draw more, or fit pooled exponents, which let "
        "the prompts' shares move."
    )
