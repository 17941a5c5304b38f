"""What the theorems say, computed: a priori bounds, definiteness, the error at finite width, rates, phase diagrams."""

from ..networks.shallow.curvature import curvature_constant, jacobian_constant
from .a_priori import APriori, a_priori
from .definiteness import Certificate, certify
from .intervals import mean_interval, proportion_interval
from .jacobian_ball import jacobian_change
from .path_error import PathError, path_error
from .phase import PhaseDiagram, phase_diagram
from .rates import Rate, convergence_order, fit_rate
from .wall import wall_constant

__all__ = [
    "APriori",
    "Certificate",
    "PathError",
    "PhaseDiagram",
    "Rate",
    "a_priori",
    "certify",
    "convergence_order",
    "curvature_constant",
    "fit_rate",
    "jacobian_change",
    "jacobian_constant",
    "mean_interval",
    "path_error",
    "phase_diagram",
    "proportion_interval",
    "wall_constant",
]
