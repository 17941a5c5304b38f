"""The manifold of functions: tangent spaces, curvature, geodesics, Hessians of a loss, and the best function."""

from .best import Best, best_function
from .paths import Path, exponential, geodesic, shortest_path
from .space import TangentSpace, jacobian_matrix, tangent_space

__all__ = [
    "Best",
    "Path",
    "TangentSpace",
    "best_function",
    "exponential",
    "geodesic",
    "jacobian_matrix",
    "shortest_path",
    "tangent_space",
]
