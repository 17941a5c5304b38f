r"""Expectations E[phi(u) phi(v)] of two correlated Gaussians, phi = sigma and sigma', to rounding error.

(u, v) is centred with variances q1, q2 and angle theta between the two inputs, so the correlation is cos(theta).
The angle is used instead of the covariance because sin(theta) keeps its digits when the inputs are nearly collinear.
Three rules, each with an error estimate; the estimate decides:

* Mehler's formula, E = sum_k a_k(q1) a_k(q2) cos(theta)^k, where a_k(q) = E[phi(sqrt(q) Z) h_k(Z)] are the coefficients
  in normalized Hermite polynomials. The tail is bounded without any constant, by Cauchy-Schwarz and Parseval:
  |cos(theta)|^K (T(q1) T(q2))^{1/2} with T(q) = E[phi^2] - sum_{k < K} a_k^2. If phi(sqrt(q) z) is analytic in a strip
  of half-width a, T falls like exp(-2 a sqrt(K)): even at theta = 0 about (18 / a)^2 terms suffice.
* The trapezoidal rule in one coordinate for theta = 0 and q1 = q2, the diagonal of a kernel.
* The trapezoidal rule in two independent coordinates, for large variances. If phi(sqrt(q) z) is analytic in a strip of
  half-width a, the error falls like exp(-2 pi a / h + a^2 / 2): halving the step squares the error, which is the
  estimate. The second coordinate enters with the factor sin(theta) and needs few nodes when the inputs are nearly
  collinear. Gauss-Hermite nodes converge far more slowly here, because the poles of tanh are close to the real line
  (Trefethen and Weideman 2014 explain both).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..exceptions import Array, ParameterError
from ..networks.activations import Activation

EPS = np.finfo(float).eps

#: -log of the accuracy asked of the trapezoidal rule (1e-16, and e^7 for the double poles of sigma'); weight's cut.
DIGITS, CUT = 44.0, 9.0

#: Terms of the Hermite expansion: at most, and between two looks at the bound. A pair takes about 1 ns a term, and
#: 100 microseconds by the trapezoidal rule.
TERMS, STAGE, BATCH = 2048, 16, 8

#: Pairs that go on when fewer than one in so many are unfinished do so as a list: gathering costs 5 to 10 times more.
FEW = 32

#: Largest number of nodes in one direction.
MAX_NODES = 4096


def trapezoid_nodes(strip: float, q: float) -> tuple[Array, Array]:
    """Nodes k h, |k h| <= CUT, and weights of the trapezoidal rule for E[phi(sqrt(q) Z)].

    Parameters
    ----------
    strip : float
        Half-width of the strip in which phi is analytic.
    q : float
        Variance.

    Returns
    -------
    nodes, weights : ndarray, shape (2 K + 1,)
        Even K, so that every second node is the rule with step 2 h.

    Raises
    ------
    ParameterError
        If phi is not analytic, or so nearly not that the rule would need more than MAX_NODES nodes.

    Examples
    --------
    >>> z, w = trapezoid_nodes(np.inf, 1.0)
    >>> bool(abs(w @ z**2 - 1) < 1e-15)
    True
    """
    a = strip / np.sqrt(q) if q > 0 else np.inf
    entire = np.pi / np.sqrt(DIGITS)  # error exp(-2 pi^2 / h^2): with the step 2 h still the root of what is asked
    h = entire if a >= np.pi / entire else 2 * np.pi * a / (DIGITS + a * a / 2)
    count = 2 * int(np.ceil(CUT / (2 * h))) if h > 0 else MAX_NODES + 1
    if count > MAX_NODES:
        raise ParameterError(
            f"An activation analytic only in a strip of half-width {strip:g} needs {2 * count + 1} quadrature nodes at "
            f"variance {q:g}; the limit is {MAX_NODES}. Reduce weight_std or the inputs, or use an activation with a "
            "closed form (erf, relu, sine)."
        )
    nodes = CUT / count * np.arange(-count, count + 1)
    return nodes, CUT / count * np.exp(-nodes * nodes / 2) / np.sqrt(2 * np.pi)


@dataclass(frozen=True, eq=False)
class Stage:
    """The terms k0 <= k < k0 + STAGE of the expansion that are not negligible, and the tails after them."""

    terms: dict[tuple[int, int], int]  # (phi, k - k0) -> row of `a`
    a: Array  # coefficients, shape (len(terms), n)
    tail: Array  # T^{1/2}, shape (2, n)
    worst: Array  # the larger one over (1 + E[phi^2])^{1/2}, shape (n,)


class HermiteSeries:
    """Hermite coefficients of sigma and sigma' at given variances, computed as far as the pairs ask for them.

    Parameters
    ----------
    act : Activation
    q : ndarray, shape (n,)
        Variances.

    Attributes
    ----------
    moments : ndarray, shape (2, n)
        E[sigma^2] and E[sigma'^2], by the trapezoidal rule.
    """

    def __init__(self, act: Activation, q: Array):
        nodes, _ = trapezoid_nodes(act.strip, float(np.max(q)))
        h = 1 / (1 / (nodes[1] - nodes[0]) + np.sqrt(TERMS) / (2 * np.pi))  # h_k(z) oscillates like cos(sqrt(k) z)
        z = h * np.arange(-int(12.5 / h), int(12.5 / h) + 1)  # exp(-z^2/4) is left as the weight, 1e-17 at the end
        root = np.exp(-z * z / 4) / (2 * np.pi) ** 0.25
        self.q, self._z, self._stages = q, z, []
        self._weighted = np.stack(act.rows(np.sqrt(q)[:, None] * z)[:2])
        self._weighted *= np.sqrt(h) * root
        self.moments = np.einsum("fqz,fqz->fq", self._weighted, self._weighted)
        self._weighted *= np.sqrt(h)
        self._rest = self.moments.copy()
        self._functions = np.zeros_like(z), root  # h_k(z) exp(-z^2/4), normalized: the last one and the next

    def stage(self, number: int) -> Stage:
        """Terms from STAGE * number on; BATCH stages are computed at a time, by one matrix product."""
        while len(self._stages) <= number:
            previous, current = self._functions
            table = np.empty((BATCH * STAGE, len(self._z)))
            for row, k in enumerate(range(STAGE * len(self._stages), STAGE * (len(self._stages) + BATCH))):
                table[row] = current
                previous, current = current, (self._z * current - np.sqrt(k) * previous) / np.sqrt(k + 1)
            self._functions = previous, current
            batch, size = table @ self._weighted.reshape(-1, len(self._z)).T, np.sqrt(1 + self.moments)
            for a in batch.reshape(BATCH, STAGE, 2, -1):
                self._rest -= np.einsum("kfq,kfq->fq", a, a)
                tail = np.sqrt(np.maximum(self._rest, 4 * EPS * self.moments))
                terms = np.argwhere((np.abs(a) > 64 * EPS * size).any(axis=2))  # half of them if sigma is odd
                rows = {(int(f), int(k)): row for row, (k, f) in enumerate(terms)}
                self._stages.append(Stage(rows, a[tuple(terms.T)], tail, (tail / size).max(axis=0)))
        return self._stages[number]

    def sums(self, i: Array, j: Array, rho: Array, tol: float) -> tuple[Array, Array, Array, bool]:
        """Mehler's formula for pairs of variances, and a bound of the error: truncation and rounding.

        It stops when all pairs are finished but a few, or after TERMS terms. A pair is finished when its truncation
        error is below `tol` times ((1 + E[phi(u)^2]) (1 + E[phi(v)^2]))^{1/2}.

        Parameters
        ----------
        i, j : ndarray of int
            Indices of the variances: shapes (r,) and (c,) for a block of pairs, both (N,) for a list.
        rho : ndarray, shape (r, c) or (N,)
            Correlations.
        tol : float

        Returns
        -------
        values, bounds : ndarray, shape (2, *rho.shape)
        unfinished : ndarray of bool, of the shape of `rho`
        exhausted : bool
            Whether TERMS is reached, so that more terms are not to be had.
        """
        I, J = (i[:, None], j) if rho.ndim == 2 else (i, j)
        same = (rho >= 1 - 4 * EPS) & (self.q[I] == self.q[J])
        repeated = same.any()
        if repeated:
            rho = np.where(same, 0.0, rho)
        x = rho * rho
        step, power, term = x.copy(), np.ones_like(x), np.empty_like(x)
        for _ in range(STAGE.bit_length() - 2):
            step *= step
        for number in range(TERMS // STAGE):
            stage = self.stage(number)
            power *= step
            np.multiply(power, stage.worst[J], out=term)
            term *= stage.worst[I]
            unfinished = term > tol
            count = np.count_nonzero(unfinished)
            if FEW * count <= x.size:
                break
        values, bounds = self._horner(i, j, rho, x, number + 1, term), np.empty((2, *rho.shape))
        for bound, tail, moment in zip(bounds, stage.tail, self.moments, strict=True):
            size = 4 * np.sqrt(EPS * moment)
            np.multiply(power, tail[J], out=bound)
            bound *= tail[I]
            bound += np.multiply(size[I], size[J], out=term)
        if repeated:
            values[:, same] = self.moments[:, np.broadcast_to(I, rho.shape)[same]]
        return values, bounds, unfinished, number + 1 == TERMS // STAGE

    def _horner(self, i: Array, j: Array, rho: Array, x: Array, stages: int, term: Array) -> Array:
        """sum_k a_k(q_i) a_k(q_j) rho^k in powers of x = rho^2, so that the vanishing half of the terms is skipped."""
        sums = {}
        for stage in map(self.stage, reversed(range(stages))):
            left, right, product = stage.a[:, i], stage.a[:, j], np.multiply
            if rho.ndim == 2:  # as a matrix product with inner dimension 2: 0.1 ns an entry, by broadcasting 0.45 ns
                left, right, product = left[:, :, None] * [1.0, 0.0], right[:, None] * [[1.0], [0.0]], np.matmul
            for k in reversed(range(STAGE)):
                for f in range(2):
                    key, row = (f, k % 2), stage.terms.get((f, k))
                    if key in sums:
                        sums[key] *= x
                    if row is not None:
                        if key in sums:
                            sums[key] += product(left[row], right[row], out=term)
                        else:
                            sums[key] = product(left[row], right[row])
        values = np.zeros((2, *rho.shape))
        for (f, odd), part in sums.items():
            values[f] += part * rho if odd else part
        return values


def trapezoid(act: Activation, q1: Array, q2: Array, theta: Array) -> tuple[Array, Array]:
    """E[sigma sigma] and E[sigma' sigma'] for a list of pairs by the trapezoidal rule, and an error estimate.

    Parameters
    ----------
    act : Activation
    q1, q2, theta : ndarray, shape (N,)

    Returns
    -------
    values, errors : ndarray, shape (2, N)
    """
    q1, q2 = np.maximum(q1, q2), np.minimum(q1, q2)
    spread = np.sqrt(q2) * np.sin(theta)
    z, wz = trapezoid_nodes(act.strip, float(np.max(q1)))
    values, errors, order = np.empty((2, len(theta))), np.empty((2, len(theta))), np.argsort(spread)
    while len(order):  # from the widest: the narrower, the fewer nodes in the second coordinate, 41 at least
        t, wt = trapezoid_nodes(act.strip, float(spread[order[-1]]) ** 2)
        size = max(1, 2**17 // (len(z) * len(t)))
        order, part = order[:-size], order[-size:]
        u = np.sqrt(q1[part])[:, None] * z
        v = (np.sqrt(q2[part]) * np.cos(theta[part]))[:, None, None] * z[:, None] + spread[part][:, None, None] * t
        for f, (left, right) in enumerate(zip(act.rows(u)[:2], act.rows(v)[:2], strict=True)):
            fine = ((right @ wt) * left) @ wz
            rough = ((right @ _coarse(wt)) * left) @ _coarse(wz)
            size_of = np.sqrt((left**2 @ wz) * (right**2 @ wt @ wz))
            values[f, part] = fine
            errors[f, part] = size_of * (np.minimum((fine - rough) / size_of, 1) ** 2 + 16 * EPS)
    return values, errors


def _coarse(w: Array) -> Array:
    """Weights of the rule with twice the step."""
    return np.where(np.arange(len(w)) % 2 == (len(w) // 2) % 2, 2 * w, 0.0)
