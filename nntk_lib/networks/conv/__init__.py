"""Residual convolutional networks: the specification, its tangent, the layers, and the Gram matrix of a convolution."""

from .gram import gram_cost
from .spec import LayerCost, Residual
from .tangent import ResidualTangent

__all__ = ["LayerCost", "Residual", "ResidualTangent", "gram_cost"]
