"""Distributional control in numpy float64: energy-based targets over texts, their exponents, sampling and tuning.

Knows nothing about models, threads or pages: log-probabilities and features go in, numbers come out.
"""
