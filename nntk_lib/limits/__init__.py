"""Networks of infinite width: their kernels, and training in function space."""

from .batches import batch_path
from .depth import deep_limit_ntk
from .dynamics import LimitPath, Modes, eigenmodes, interpolant, max_alpha, mode_factor, trajectory
from .filters import Cutoff, Filter, Flow, Iterated, Landweber, Tikhonov
from .gaussian import dual_activation
from .kernels import angles, limit_ntk, nntk

__all__ = [
    "Cutoff",
    "Filter",
    "Flow",
    "Iterated",
    "Landweber",
    "LimitPath",
    "Modes",
    "Tikhonov",
    "angles",
    "batch_path",
    "deep_limit_ntk",
    "dual_activation",
    "eigenmodes",
    "interpolant",
    "limit_ntk",
    "max_alpha",
    "mode_factor",
    "nntk",
    "trajectory",
]
