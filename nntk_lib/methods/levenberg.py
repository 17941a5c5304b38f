r"""Levenberg-Marquardt: the Gauss-Newton step whose damping looks back.

The step solves (J^T H J + a I) delta = -grad L. Once it has been tried, the gain

    gain = (L(theta) - L(theta + delta)) / predicted

says how good the model was. A step whose gain is not above `least` is taken back, and the damping rule
:class:`~nntk_lib.methods.damping.GainRatio` raises or lowers a for the next one. A trust-region method does the same
with the inverse of its radius in the place of a. A step that is taken back costs one factorization: the Gram matrix is
kept by the tangent.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..exceptions import ParameterError, positive
from .base import Step
from .damping import Damping, GainRatio
from .gauss_newton import GaussNewton


@dataclass(frozen=True)
class LevenbergMarquardt(GaussNewton):
    """Gauss-Newton steps with a damping steered by the gain ratio, for ``train``, which asks :meth:`accept`.

    Attributes
    ----------
    damping : Damping
        ``GainRatio(low, high, up, down, start, floor)``.
    metric, side : str
        See :class:`~nntk_lib.methods.gauss_newton.GaussNewton`.
    least : float
        A step is kept if its gain is greater; at least 0 keeps the loss from rising.
    """

    damping: Damping = GainRatio()
    name: str = "levenberg-marquardt"
    least: float = 0.0

    def __post_init__(self):
        super().__post_init__()
        if positive("least", self.least, allow_zero=True) >= 1:
            raise ParameterError(f"least = {self.least:g} must lie in [0, 1): the gain of a perfect model is 1.")

    def accept(self, step: Step) -> bool:
        """Whether a step whose gain is known is kept; one without a gain, or with the gain nan, is not."""
        return step.gain is not None and step.gain > self.least
