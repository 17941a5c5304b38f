"""Measures the rates of the chapter "From finite to infinite width" and writes them to rates.csv.

Run it without arguments:

    OPENBLAS_NUM_THREADS=1 python -m nntk_lib.studies.rates

It needs about ten minutes and one core. A row of the table is one protocol, one beta and one width: the mean over the
seeds, and its standard error, of the largest Euclidean norm over the steps 0, ..., STEPS of each part of

    f_k - g_k = start + sampling + curvature + drift + remainder
                (nntk_lib.theory.path_error),

of moving = curvature + drift + remainder, of rest = moving + sampling, and of the total. The protocols:

plain
    c skewed, the labels y as they are: Theorem 7.
centred
    c skewed, the labels y/16 + f_0. The residual starts at -y/16 exactly, as that of the centred network f - f_0 with
    the labels y/16 does, so that what the start does to the other parts is gone; and the labels are so small that the
    terms of second order in m^{beta - 1}, which are of second order in the labels as well, are too.
mirrored
    c uniform in pairs (c, w), (-c, w), the labels y: the network starts at f_0 = 0.

Every network is drawn from numpy's default_rng([m, seed]), the same for all beta.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from .. import Shallow, __version__, circle, forward, limit_ntk
from ..networks import shifted, tanh
from ..theory import path_error

FILE = Path(__file__).with_name("rates.csv")
BETAS = (0.55, 0.6, 0.65, 0.75, 0.85, 0.9)
SEEDS = {2**9: 24, 2**11: 24, 2**13: 24, 2**15: 12, 2**17: 6, 2**19: 3}  # width: number of networks
PROTOCOLS = ("plain", "centred", "mirrored")
GAMMA, ALPHA, STEPS, SHRINK = 1.0, 1.0, 3, 16
DATA = circle(12, frequencies=(1, 2))
MOVING = ("curvature", "drift", "remainder")
PARTS = {"start": ("start",), "sampling": ("sampling",)} | {part: (part,) for part in MOVING}
PARTS |= {"moving": MOVING, "rest": ("sampling", *MOVING), "total": ("total",)}
COLUMNS = ["protocol", "beta", "m", "seeds", *PARTS, *(f"{part}_se" for part in PARTS)]


def network(beta: float, outputs: str = "skewed") -> Shallow:
    """The network of all measurements: tanh(z + 1), which has no symmetry, normal input weights, a bias."""
    return Shallow(shifted(tanh, 1.0), beta=beta, outputs=outputs)


def measure(protocol: str, beta: float, m: int, seed: int, A: np.ndarray | None = None) -> list[float]:
    """Largest norm over the steps of every part of PARTS, for one network."""
    net = network(beta, "mirrored" if protocol == "mirrored" else "skewed")
    theta = net.init(m, 2, np.random.default_rng([m, seed]))
    y = DATA.y
    if protocol == "centred":
        y = y / SHRINK + forward(net, theta, DATA.X)
    error = path_error(net, theta, DATA.X, y, GAMMA, STEPS, ALPHA, A=A)
    return [float(error.norm(*parts).max()) for parts in PARTS.values()]


def row(protocol: str, beta: float, m: int, A: np.ndarray | None = None) -> list[str]:
    """One row of the table, in the order of COLUMNS."""
    values = np.array([measure(protocol, beta, m, seed, A) for seed in range(SEEDS[m])])
    numbers = [*values.mean(axis=0), *(values.std(axis=0, ddof=1) / np.sqrt(len(values)))]
    return [protocol, f"{beta:g}", str(m), str(len(values)), *(f"{value:.10e}" for value in numbers)]


def provenance() -> list[str]:
    """Comment lines below the names of the columns."""
    return [
        "# written by: OPENBLAS_NUM_THREADS=1 python -m nntk_lib.studies.rates (see there for what the columns mean)",
        f"# nntk_lib {__version__}, numpy {np.__version__}, python {sys.version.split()[0]}",
        f"# data circle(12, frequencies=(1, 2)); activation tanh(z+1); gamma {GAMMA:g}, alpha {ALPHA:g}, "
        f"steps {STEPS}; labels of the centred protocol divided by {SHRINK}",
        "# seeds 0, 1, ... of default_rng([m, seed]); means over them, and standard errors (_se)",
    ]


def main() -> None:
    from tqdm import tqdm

    lines = [",".join(COLUMNS), *provenance()]
    A = limit_ntk(network(0.75), DATA.X)  # does not depend on beta
    cases = [(protocol, beta, m) for protocol in PROTOCOLS for beta in BETAS for m in SEEDS]
    for case in tqdm(cases, unit="row"):
        lines.append(",".join(row(*case, A)))
    FILE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
