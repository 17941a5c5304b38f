"""Networks, as specifications that give the tangent at a point, and their activations."""

from .activations import ACTIVATIONS, Activation, erf, monomial, relu, shifted, sigmoid, silu, sine, softplus, tanh
from .base import Blocks, Network, Tangent, jacobian
from .conv import Residual
from .deep import Deep
from .shallow.curvature import curvature_constant, curvature_level, jacobian_constant
from .shallow.spec import C_MAX, Shallow

__all__ = [
    "ACTIVATIONS",
    "C_MAX",
    "Activation",
    "Blocks",
    "Deep",
    "Network",
    "Residual",
    "Shallow",
    "Tangent",
    "curvature_constant",
    "curvature_level",
    "erf",
    "jacobian",
    "jacobian_constant",
    "monomial",
    "relu",
    "shifted",
    "sigmoid",
    "silu",
    "sine",
    "softplus",
    "tanh",
]
