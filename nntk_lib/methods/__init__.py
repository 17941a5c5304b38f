"""Directions, their damping, and the routes by which their systems are solved."""

from .base import Direction, Step
from .baselines import KFAC, Adam, Momentum
from .damping import Constant, Convex, Damping, GainRatio, Gamma, ResidualNorm, Smallest
from .gauss_newton import GaussNewton, Gradient, gauss_newton_step, gradient_step
from .levenberg import LevenbergMarquardt
from .newton import Auto, ConjugateGradients, Direct, Newton, newton_kernel, newton_step, newton_steps, sweep
from .spring import Spring
from .threshold import AboveThreshold, safe_gamma

__all__ = [
    "KFAC",
    "AboveThreshold",
    "Adam",
    "Auto",
    "ConjugateGradients",
    "Constant",
    "Convex",
    "Damping",
    "Direct",
    "Direction",
    "GainRatio",
    "Gamma",
    "GaussNewton",
    "Gradient",
    "LevenbergMarquardt",
    "Momentum",
    "Newton",
    "ResidualNorm",
    "Smallest",
    "Spring",
    "Step",
    "gauss_newton_step",
    "gradient_step",
    "newton_kernel",
    "newton_step",
    "newton_steps",
    "safe_gamma",
    "sweep",
]
