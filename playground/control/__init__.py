"""Distributional control in NumPy alone, float64: exponents for wanted moments, curves, pools, features, losses.

Knows nothing about models, engines or pages: rows of numbers and texts in, plain values out.
"""

from playground.control.context_fit import ContextFit
from playground.control.contexts import ContextRows, fit_averaged, fit_per_context, fit_pooled
from playground.control.curve import Curve
from playground.control.fit import Fit, fit
from playground.control.joint import fit_joint
from playground.control.qrs import qrs

__all__ = [
    "ContextFit",
    "ContextRows",
    "Curve",
    "Fit",
    "fit",
    "fit_averaged",
    "fit_joint",
    "fit_per_context",
    "fit_pooled",
    "qrs",
]
