"""Second-order training of wide neural networks: exact regularized Newton steps, tangent kernels and their limits.

One notation everywhere: m hidden units, n samples, d inputs, p parameters per neuron; the loss is 1/(2n) times the sum
of squared residuals. Start with ``Shallow``, ``init`` and ``newton_step``; the book explains the rest.
"""

from . import reference
from .activations import ACTIVATIONS, Activation, erf, relu, shifted, sigmoid, silu, sine, softplus, tanh
from .checks import (
    AssumptionWarning,
    ClaimError,
    CollinearSamplesError,
    NNTKError,
    NonFiniteError,
    NotPositiveDefiniteError,
    ParameterError,
    ShapeError,
    SingularKernelError,
    StepSizeError,
)
from .constants import APriori, a_priori, curvature_constant, curvature_level, jacobian_constant
from .curvature import curvature_blocks, hessian
from .damping import parameter_damping, sample_damping
from .data import Data, circle, diabetes, frequency_errors, interval, teacher_student
from .definiteness import Certificate, certify, safe_gamma
from .dual import dual_activation
from .errors import PathError, path_error
from .explore import Explorer, choice, explorer, play, slider
from .gram import cross_gram, empirical_ntk, gradient, gram, j_dot, jt_dot
from .iterative import hessian_vector
from .kernels import limit_ntk, nntk
from .ledger import check
from .limits import LimitPath, Modes, eigenmodes, interpolant, max_alpha, mode_factor, trajectory
from .newton import newton_kernel, newton_step, newton_steps
from .phase import PhaseDiagram, phase_diagram
from .plotting import METHODS, style, use_style
from .rates import Rate, fit_rate
from .rules import safe_newton_step
from .shallow import C_MAX, Shallow, forward, init, jacobian, loss, residual
from .steps import Step, gauss_newton_step, gradient_step
from .structured import BlockDiagPlusLowRank, SingularSystemError
from .train import History, train

__version__ = "0.1.0"
__all__ = [name for name in dir() if not name.startswith("_")]
