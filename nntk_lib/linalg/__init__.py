"""Structured linear algebra that knows no network: block-diagonal plus low-rank matrices, slices on every core."""

from .structured import BlockDiagPlusLowRank, Reduction

__all__ = ["BlockDiagPlusLowRank", "Reduction"]
