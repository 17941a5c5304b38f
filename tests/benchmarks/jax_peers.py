"""JAX, as a user of it would write each method well: double precision, compiled, warmed up."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.linalg import cho_factor, cho_solve
from jax.scipy.sparse.linalg import cg as conjugate_gradients
from problems import Problem, Run

jax.config.update("jax_enable_x64", True)


def finished(function, *arguments):
    """A call without arguments that waits for the result."""
    return lambda: jax.block_until_ready(function(*arguments))


def arrays(problem: Problem):
    return jnp.asarray(problem.theta), jnp.asarray(problem.X), jnp.asarray(problem.y)


def loss_of(problem: Problem):
    act = {"tanh": jnp.tanh, "relu": jax.nn.relu}[problem.act]

    def outputs(theta, X):  # sigma of shape (m, n): its transpose is up to 3 times slower
        return problem.scale * (theta[:, 0] @ act(theta[:, 1:] @ X.T))

    def loss(theta, X, y):
        return jnp.sum((outputs(theta, X) - y) ** 2) / (2 * len(y))

    return outputs, loss


def gradient(problem: Problem) -> Run:
    """The gradient by reverse mode."""
    return Run(finished(jax.jit(jax.grad(loss_of(problem)[1])), *arrays(problem)), quantity="gradient")


def conjugate(problem: Problem, tol: float = 1e-8) -> Run:
    """Hessian-vector products, forward over reverse and linearized once, in jax.scipy's conjugate gradients."""
    _, loss = loss_of(problem)
    damping = problem.damping

    @jax.jit
    def solve(theta, X, y, tol):
        g, product = jax.linearize(lambda t: jax.grad(loss)(t, X, y), theta)
        return conjugate_gradients(lambda v: product(v) + damping * v, -g, tol=tol)[0]

    given = arrays(problem)
    return Run(finished(solve, *given, tol), warm=finished(solve, *given, 1.0))  # the tolerance is not compiled in


def unrolled_inverse_factor(D):
    """L^{-1} of D = L L^T for D of shape (p, p, k), entry by entry with the k neurons as vectors."""
    p = len(D)
    L, inverse = [[None] * p for _ in range(p)], [[None] * p for _ in range(p)]
    for j in range(p):
        root = jnp.sqrt(D[j][j] - sum(L[j][k] ** 2 for k in range(j)))
        L[j][j] = root
        inverse[j][j] = 1 / root
        for i in range(j + 1, p):
            L[i][j] = (D[i][j] - sum(L[i][k] * L[j][k] for k in range(j))) * inverse[j][j]
    for j in range(p):
        for i in range(j + 1, p):
            inverse[i][j] = -sum(L[i][k] * inverse[k][j] for k in range(j, i)) * inverse[i][i]
    zero = jnp.zeros_like(D[0][0])
    return jnp.stack([jnp.stack([inverse[i][j] if j <= i else zero for j in range(p)]) for i in range(p)])


def structured(problem: Problem, chunk: int = 2000) -> Run:
    """The structured step by hand: closed formulas, scans over chunks of neurons, factors unrolled over the entries.

    The weights come first and c last in a block, so that L^{-1} U^T is c sigma' times L^{-1} x, and sigma itself enters
    the last row only.
    """
    m, d, n = problem.m, problem.d, problem.n
    k = max(k for k in range(1, chunk + 1) if m % k == 0)
    scale, damping = problem.scale, problem.damping

    @jax.jit
    def step(theta, X, y):
        parts = theta.reshape(m // k, k, d + 1)
        outer = (X[:, :, None] * X[:, None, :]).reshape(n, d * d)

        def outputs(f, part):
            return f + part[:, 0] @ jnp.tanh(part[:, 1:] @ X.T), None

        r = scale * lax.scan(outputs, jnp.zeros(n), parts)[0] - y

        def factors(K, part):
            c = part[:, :1]
            s = jnp.tanh(part[:, 1:] @ X.T)
            ds = 1 - s * s
            inner = (c * ((-2 * s * ds) @ (outer * (r[:, None] * scale / n)))).T.reshape(d, d, k)
            cross = (ds @ (X * (r[:, None] * scale / n))).T
            D = [[inner[a, b] + (damping if a == b else 0) for b in range(d)] for a in range(d)]
            D.append([*cross, jnp.full(k, damping)])
            inverse = unrolled_inverse_factor(D)
            V = jnp.einsum("abk,jb->akj", inverse[:, :d], X) * (c * ds)
            V = V.at[d].add(inverse[d, d][:, None] * s)
            V = V.reshape(-1, n)
            return K + V.T @ V, inverse

        K, inverses = lax.scan(factors, jnp.zeros((n, n)), parts)
        z = cho_solve(cho_factor(jnp.eye(n) + (scale**2 / n) * K), r) * (-scale / n)

        def update(_, given):
            part, inverse = given
            s = jnp.tanh(part[:, 1:] @ X.T)
            g = jnp.concatenate([part[:, :1] * (((1 - s * s) * z) @ X), (s @ z)[:, None]], axis=1)
            delta = jnp.einsum("abk,ack,kc->kb", inverse, inverse, g)
            return None, jnp.concatenate([delta[:, d:], delta[:, :d]], axis=1)

        return lax.scan(update, None, (parts, inverses))[1].reshape(m, d + 1)

    return Run(finished(step, *arrays(problem)))


def dense(problem: Problem, batch: int = 16) -> Run:
    """The Hessian forward over reverse in batches of columns (all at once: P^2 n entries), and a Cholesky solve."""
    _, loss = loss_of(problem)

    @jax.jit
    def step(theta, X, y):
        flat = theta.ravel()
        g, column = jax.linearize(jax.grad(lambda t: loss(t.reshape(theta.shape), X, y)), flat)
        H = lax.map(lambda i: column(jnp.zeros_like(flat).at[i].set(1.0)), jnp.arange(flat.size), batch_size=batch)
        H = H + problem.damping * jnp.eye(flat.size)
        return cho_solve(cho_factor(H), -g).reshape(theta.shape)

    given = arrays(problem)
    compiled = step.lower(*given).compile()
    return Run(finished(compiled, *given), warm=lambda: None)


def gauss_newton(problem: Problem, hadamard: bool) -> Run:
    """-J^T (J J^T + lambda_min I)^{-1} r, with the Jacobian by jax.jacrev or the Gram matrix by Hadamard products."""
    outputs, _ = loss_of(problem)

    @jax.jit
    def step(theta, X, y):
        r, pull = jax.vjp(lambda t: outputs(t, X) - y, theta)
        if hadamard:
            z = theta[:, 1:] @ X.T
            s, b = jax.nn.relu(z), jnp.where(z > 0, theta[:, :1], 0.0)
            G = problem.scale**2 * (s.T @ s + (b.T @ b) * (X @ X.T))
        else:
            J = jax.jacrev(lambda t: outputs(t, X))(theta).reshape(len(y), -1)
            G = J @ J.T
        values, vectors = jnp.linalg.eigh(G)
        return -pull(vectors @ ((vectors.T @ r) / (values + values[0])))[0]

    return Run(finished(step, *arrays(problem)))
