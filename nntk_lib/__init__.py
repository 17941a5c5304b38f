"""Second-order training of wide neural networks: exact Newton and Gauss-Newton steps, tangent kernels and their limits.

One idea: a network at a point is its *tangent*, the outputs f and the Jacobian J as products. ``net.at(theta, X)``
gives it; a *direction* (``Newton``, ``GaussNewton``, ``Gradient``, ...) takes a tangent, a *loss* and targets to a
step; ``train`` and ``flow`` follow it. One notation everywhere: m hidden units, n samples, d inputs, p parameters per
neuron, P parameters.

What is not listed here is in the rooms: ``nntk_lib.data``, ``losses``, ``networks``, ``methods``, ``training``
(recorders), ``verbs``, ``limits``, ``theory``, ``geometry``, ``features``, ``linalg``, ``exceptions``, ``reference``
(slow literal twins), and ``book`` (figures, explorers, the claims ledger), which the library itself never imports.
"""

from .data import Data, circle, interval
from .exceptions import NNTKError
from .flow import flow
from .limits.dynamics import trajectory
from .limits.kernels import limit_ntk
from .losses import CrossEntropy, LogCosh, Logistic, Square, WeightedSquare
from .methods.baselines import KFAC, Adam, Momentum
from .methods.damping import Constant, Convex, GainRatio, Gamma, ResidualNorm, Smallest
from .methods.gauss_newton import GaussNewton, Gradient, gauss_newton_step, gradient_step
from .methods.levenberg import LevenbergMarquardt
from .methods.newton import Newton, newton_kernel, newton_step
from .methods.threshold import AboveThreshold, safe_gamma
from .networks.activations import Activation, silu
from .networks.base import jacobian
from .networks.conv import Residual
from .networks.deep import Deep
from .networks.shallow.spec import Shallow
from .training import Batches, train
from .verbs import empirical_ntk, forward, gradient, gram, hessian, loss, residual

__version__ = "0.1.0"
__all__ = [
    "AboveThreshold",
    "Activation",
    "Adam",
    "Batches",
    "Constant",
    "Convex",
    "CrossEntropy",
    "Data",
    "Deep",
    "GainRatio",
    "Gamma",
    "GaussNewton",
    "Gradient",
    "KFAC",
    "LevenbergMarquardt",
    "LogCosh",
    "Logistic",
    "Momentum",
    "NNTKError",
    "Newton",
    "Residual",
    "ResidualNorm",
    "Shallow",
    "Smallest",
    "Square",
    "WeightedSquare",
    "circle",
    "empirical_ntk",
    "flow",
    "forward",
    "gauss_newton_step",
    "gradient",
    "gradient_step",
    "gram",
    "hessian",
    "interval",
    "jacobian",
    "limit_ntk",
    "loss",
    "newton_kernel",
    "newton_step",
    "residual",
    "safe_gamma",
    "silu",
    "train",
    "trajectory",
]
