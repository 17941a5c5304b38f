"""The small problems of the cases."""

from __future__ import annotations

import numpy as np

import nntk_lib as nn
from nntk_lib import limits, losses, methods

RNG = np.random.default_rng(0)
N, D = 6, 2
X, XQ = RNG.standard_normal((N, D)), RNG.standard_normal((3, D))
Y = np.tanh(X @ [1.0, 2.0])
DATA = nn.Data(X, Y, "six")
NET, DEEP = nn.Shallow("tanh"), nn.Deep("tanh", (4, 3))
IMAGES, PIXELS = nn.Residual("tanh", channels=(2,), groups=2), RNG.standard_normal((3, 4, 4, 1))
THETA, WEIGHTS, FILTERS = NET.init(20, D, rng=0), DEEP.init(D, rng=0), IMAGES.init((4, 4, 1), rng=0)
ONE = NET.init(1, D, rng=0)
AT, DEEP_AT, IMAGE_AT = NET.at(THETA, X), DEEP.at(WEIGHTS, X), IMAGES.at(FILTERS, PIXELS)
KERNEL, SQUARE = limits.limit_ntk(NET, X), losses.Square()
GGN = methods.GaussNewton(methods.Constant(0.1))
