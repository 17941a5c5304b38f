r"""What a step costs, in operations and in bytes.

m neurons, n samples, d inputs as the neurons see them (the bias counts), p = d + 1. A multiplication and an addition
are two operations. The direct Newton step of :mod:`nntk_lib.networks.shallow.definite` takes, with three evaluations
of the activation (one for the residual, two in the passes over the blocks),

    preactivations     3 . 2 d m n           rows U = R J^T     2 d p m n
    blocks of S        2 . d (d + 3) m n     C += U^T U         p m n^2
    factors            (p^3 + 2 p^2) m       system             2 n^3 / 3,

linear in m. A Hessian-vector product takes 10 d m n and two evaluations. Work on single entries of an array is bound by
the caches, not by arithmetic, so it is counted in bytes: 8 for every double read or written. The model's time is

    operations / rate of matrix products  +  bytes / rate of the caches.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ...linalg.streaming import ROWS, cores, slice_size

#: Rates of two cores of the machine on which the library was tuned, operations and bytes a second. Only their quotient
#: decides anything here: where conjugate gradients stop paying.
RATES = 180e9, 90e9

#: An evaluation of tanh takes as long as the reading or writing of five doubles.
EVALUATION = 40


@dataclass(frozen=True)
class Cost:
    """Operations and bytes of a computation.

    Attributes
    ----------
    parts : dict of str to float
        Operations in matrix products, by part.
    evaluations : float
        Number of times an activation (with the derivatives that are needed) is evaluated.
    bytes : float
        Read and written entry by entry, mostly in the caches.
    traffic : float
        Bytes that have to come from or go to main memory: theta, once a pass, and the step.
    """

    parts: dict[str, float] = field(repr=False, hash=False)
    evaluations: float
    bytes: float
    traffic: float

    @property
    def flops(self) -> float:
        """All operations in matrix products."""
        return sum(self.parts.values())

    def seconds(self, flop_rate: float = RATES[0], byte_rate: float = RATES[1]) -> float:
        """The model's time at given rates, operations and bytes a second."""
        return self.flops / flop_rate + (self.bytes + EVALUATION * self.evaluations) / byte_rate


def step_cost(m: int, d: int, n: int) -> Cost:
    """Cost of the direct Newton step.

    Examples
    --------
    >>> cost = step_cost(m=10**6, d=10, n=100)
    >>> cost.parts["C += U^T U"] / cost.flops > 0.6
    True
    >>> step_cost(2 * 10**6, 10, 100).flops / cost.flops < 2
    True
    """
    p, entries = d + 1, m * n
    parts = {
        "preactivations": 6.0 * d * entries,
        "blocks": 2.0 * d * (d + 3) * entries,
        "factors": float(p**3 + 2 * p**2) * m,
        "rows U": 2.0 * d * p * entries,
        "C += U^T U": float(p) * entries * n,
        "system": 2 * n**3 / 3,
    }
    # arrays of shape (neurons, n) touched: 2 + 14 + 14 for z and the derivatives, 6 + 3 p for U, 4 for J^T a; matrices
    # of order p are touched about p times
    return Cost(parts, 3.0 * entries, 8.0 * entries * (40 + 3 * p) + 16.0 * m * p**3, 8.0 * 4 * m * p)


def gradient_cost(m: int, d: int, n: int) -> Cost:
    """Cost of a gradient: the residual, then J^T r / n."""
    entries = m * n
    parts = {"preactivations": 4.0 * d * entries, "outputs": 2.0 * entries, "J^T r": 2.0 * (d + 1) * entries}
    return Cost(parts, 2.0 * entries, 8.0 * entries * 14, 8.0 * 3 * m * (d + 1))


def hvp_cost(m: int, d: int, n: int) -> Cost:
    """Cost of a product of the Hessian with a vector: J v, then J^T (J v) / n + S v."""
    entries = m * n
    parts = {"preactivations": 8.0 * d * entries, "J v": 4.0 * entries, "J^T, S": 2.0 * (d + 2) * entries}
    return Cost(parts, 2.0 * entries, 8.0 * entries * 36, 8.0 * 10 * m * (d + 1))


def dense_cost(m: int, d: int, n: int) -> Cost:
    """Cost of a step that assembles the Hessian, of order P = m p, and factors it; P^2 doubles have to be stored."""
    order = float(m * (d + 1))
    parts = {"J^T J": order**2 * n, "Cholesky": order**3 / 3}
    return Cost(parts, 1.0 * m * n, 8 * 2 * order**2, 8 * 2 * order**2)


def step_memory(m: int, d: int, n: int, memory: int | None = None) -> int:
    """Bytes that the direct step allocates beside theta and itself, by the sizes of its slices.

    Returns
    -------
    int
        Does not grow with m once the slices are full. The budget is for the slices; the matrices of order n and the
        d (d + 3) / 2 products of inputs for every sample are there in any case.
    """
    p, workers = d + 1, cores()
    floats = 7 * n + 3 * p * p
    slices = floats * slice_size(m, n, floats, memory, workers) + max(ROWS, p * n)
    return 8 * (workers * (slices + n * n) + 3 * n * n + d * (d + 3) // 2 * n)


def break_even(m: int, d: int, n: int) -> int:
    """Number of Hessian-vector products that take as long as the direct step, at least 1.

    Examples
    --------
    >>> low, high = break_even(10**5, 1, 100), break_even(10**5, 10, 100)
    >>> low < high < break_even(10**5, 10, 500)
    True
    """
    return max(1, round(step_cost(m, d, n).seconds() / hvp_cost(m, d, n).seconds()))
