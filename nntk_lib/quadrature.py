r"""Expectations E[phi(u) phi(v)] of two correlated Gaussians, to rounding error.

(u, v) is centred with variances q1, q2 and angle theta between the two inputs, so the correlation is cos(theta).
The angle is used instead of the covariance because sin(theta) keeps its digits when the inputs are nearly collinear.
Two rules, each with an error estimate:

* Mehler's formula, E = sum_k a_k(q1) a_k(q2) cos(theta)^k, where a_k(q) = E[phi(sqrt(q) Z) h_k(Z)] are the coefficients
  in normalized Hermite polynomials. The tail is bounded without any constant, by Cauchy-Schwarz and Parseval:
  |cos(theta)|^{K+1} (T(q1) T(q2))^{1/2} with T(q) = E[phi^2] - sum_{k <= K} a_k^2. Fast, unless |cos(theta)| is close
  to 1.
* The trapezoidal rule in two independent coordinates. If phi is analytic in a strip of half-width s, the integrand is
  analytic in a strip of half-width a = s / sqrt(max(q1, q2)) and the error falls like exp(-2 pi a / h + a^2 / 2):
  halving the step squares the error, which is the estimate. Gauss-Hermite nodes converge far more slowly here, because
  the poles of tanh are close to the real line (Trefethen and Weideman 2014 explain both).
"""

from __future__ import annotations

import numpy as np

from .activations import Activation
from .checks import Array, ParameterError

#: -log of the accuracy asked of the trapezoidal rule (1e-16, and e^7 for the double poles of sigma'); weight's cut.
DIGITS, CUT = 44.0, 9.0

#: Terms of the Hermite expansion. Beyond a few hundred the trapezoidal rule is the cheaper one.
TERMS = 256

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
    entire = np.pi * np.sqrt(2 / DIGITS)  # the best shift 2 pi / h of the contour lies inside the strip
    h = entire if a >= 2 * np.pi / entire else 2 * np.pi * a / (DIGITS + a * a / 2)
    count = 2 * int(np.ceil(CUT / (2 * h))) if h > 0 else MAX_NODES + 1
    if count > MAX_NODES:
        raise ParameterError(
            f"An activation analytic only in a strip of half-width {strip:g} needs {2 * count + 1} quadrature nodes at "
            f"variance {q:g}; the limit is {MAX_NODES}. Reduce weight_std or the inputs, or use an activation with a "
            "closed form (erf, relu, sine)."
        )
    nodes = CUT / count * np.arange(-count, count + 1)
    return nodes, CUT / count * np.exp(-nodes * nodes / 2) / np.sqrt(2 * np.pi)


def hermite_coefficients(act: Activation, q: Array, terms: int = TERMS) -> tuple[Array, Array]:
    """Hermite coefficients a_k(q) of sigma and sigma', and the second moments E[sigma^2], E[sigma'^2].

    Parameters
    ----------
    act : Activation
    q : ndarray, shape (n,)
        Variances.
    terms : int

    Returns
    -------
    coefficients : ndarray, shape (2, terms, n)
    moments : ndarray, shape (2, n)
    """
    nodes, _ = trapezoid_nodes(act.strip / 2, float(np.max(q)))  # half the step: h_k oscillates like cos(sqrt(k) z)
    h = min(nodes[1] - nodes[0], np.pi / np.sqrt(terms) / 2)
    z = h * np.arange(-int(14 / h), int(14 / h) + 1)  # exp(-z^2/4) is left as the weight, exp(-49) at the end
    values = np.stack(act.rows(np.sqrt(q)[:, None] * z)[:2])
    root = np.exp(-z * z / 4) / (2 * np.pi) ** 0.25
    moments = h * np.einsum("fqz,z->fq", values**2, root * root)
    weighted = values * (h * root)
    previous, current = np.zeros_like(z), root  # h_k(z) exp(-z^2/4), normalized
    out = np.empty((2, terms, len(q)))
    for k in range(terms):
        out[:, k] = weighted @ current
        previous, current = current, (z * current - np.sqrt(k) * previous) / np.sqrt(k + 1)
    return out, moments


def mehler(act: Activation, q1: Array, q2: Array, theta: Array) -> tuple[Array, Array]:
    """E[sigma sigma] and E[sigma' sigma'] for all pairs by Mehler's formula, and a bound of the truncation error.

    Parameters
    ----------
    act : Activation
    q1 : ndarray, shape (q,)
    q2 : ndarray, shape (n,)
        Variances.
    theta : ndarray, shape (q, n)
        Angles between the inputs.

    Returns
    -------
    values, bounds : ndarray, shape (2, q, n)
    """
    a, s = hermite_coefficients(act, np.concatenate([q1, q2]))
    a1, a2, rho = a[:, :, : len(q1)], a[:, :, len(q1) :], np.cos(theta)
    values, power = np.zeros((2, *theta.shape)), np.ones_like(theta)
    for k in range(a.shape[1]):
        values += a1[:, k, :, None] * a2[:, k, None, :] * power
        power *= rho
    eps = np.finfo(float).eps
    tail = np.sqrt(np.maximum(s - (a * a).sum(axis=1), 4 * eps * s))
    bounds = tail[:, : len(q1), None] * tail[:, None, len(q1) :] * np.abs(power)
    return values, bounds + 16 * eps * np.sqrt(s[:, : len(q1), None] * s[:, None, len(q1) :])


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
    z, w = trapezoid_nodes(act.strip, float(max(np.max(q1), np.max(q2))))
    coarse = np.where(np.arange(len(z)) % 2 == (len(z) // 2) % 2, 2 * w, 0.0)
    values, errors = np.empty((2, len(theta))), np.empty((2, len(theta)))
    eps = np.finfo(float).eps
    size = max(1, 2**21 // len(z) ** 2)
    for start in range(0, len(theta), size):
        part = slice(start, start + size)
        u = np.sqrt(q1[part])[:, None] * z
        c, s = np.cos(theta[part])[:, None, None], np.sin(theta[part])[:, None, None]
        v = np.sqrt(q2[part])[:, None, None] * (c * z[:, None] + s * z)
        for i, (left, right) in enumerate(zip(act.rows(u)[:2], act.rows(v)[:2], strict=True)):
            fine = np.einsum("Ns,Ns->N", left * w, right @ w)
            rough = np.einsum("Ns,Ns->N", left * coarse, right @ coarse)
            size_of = np.sqrt((left**2 @ w) * np.einsum("Nst,s,t->N", right**2, w, w))
            values[i, part] = fine
            errors[i, part] = size_of * (np.minimum((fine - rough) / size_of, 1) ** 2 + 16 * eps)
    return values, errors
