"""Ridge regression."""

from __future__ import annotations

import numpy as np

from bianlian.imaging.shape import F64
from bianlian.records.arrays import F32


def ridge(features: F64, targets: F64, strength: float) -> tuple[F32, F32]:
    """(F+1)xK weights, last row the constant term; and K, how far the `targets` stray from what the weights say."""
    rows = with_constant(features)
    hold = strength * np.eye(rows.shape[1])
    hold[-1, -1] = 1e-6
    weights = np.linalg.solve(rows.T @ rows + hold, rows.T @ targets)
    return weights.astype(np.float32), (targets - rows @ weights).std(axis=0).astype(np.float32)


def with_constant(features: F64) -> F64:
    """NxF features as rows for the weights of `ridge`, Nx(F+1)."""
    return np.concatenate([features, np.ones((len(features), 1))], axis=1)
