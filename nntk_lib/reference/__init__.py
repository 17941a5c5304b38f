r"""Slow literal twins: the formulas as they are written, with loops and dense matrices.

Every fast routine of the library has a twin here that a reader can check against the page, and a test compares the two.
Nothing here is checked, chunked or clever. ``theta`` may be complex, for derivatives by the complex step. Those of deep
and of convolutional networks, and of the methods for any loss, are in ``reference.deep``, ``reference.conv`` and
``reference.methods``.
"""

from .limits import dual_activation, limit_ntk_monte_carlo, limit_recursion
from .shallow import (
    complex_step_jacobian,
    forward,
    gauss_newton_step,
    hessian,
    jacobian,
    mixed_differences,
    network_hessian,
    newton_step,
    newton_step_neuronwise,
)
from .trust_region import trust_region

__all__ = [
    "complex_step_jacobian",
    "dual_activation",
    "forward",
    "gauss_newton_step",
    "hessian",
    "jacobian",
    "limit_ntk_monte_carlo",
    "limit_recursion",
    "mixed_differences",
    "network_hessian",
    "newton_step",
    "newton_step_neuronwise",
    "trust_region",
]
