"""Steps of deep networks on images in JAX: by hand, with nlls-gram, with neural-tangents."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax
from jax.flatten_util import ravel_pytree
from jax.scipy.linalg import cho_factor, cho_solve
from problems import Images, Run

jax.config.update("jax_enable_x64", True)


def network(problem: Images):
    """Outputs, shape (n,), of the weights and the images."""
    gain = problem.gain

    def dense(weights, X):
        A = X / X.shape[1] ** 0.5
        for W in weights[:-1]:
            A = (gain / len(W)) ** 0.5 * jax.nn.silu(A @ W.T)
        return A @ weights[-1][0]

    def conv(x, W):
        y = lax.conv_general_dilated(x, W, (1, 1), "SAME", dimension_numbers=("NHWC", "OHWI", "NHWC"))
        return y / (9 * x.shape[-1]) ** 0.5

    def unit(x):
        """Normalization by groups, and activation."""
        groups = x.reshape(len(x), -1, 4, x.shape[-1] // 4)
        groups = groups - groups.mean((1, 3), keepdims=True)
        groups = groups / jnp.sqrt((groups**2).mean((1, 3), keepdims=True) + 1e-5)
        return gain**0.5 * jax.nn.silu(groups.reshape(x.shape))

    def block(x, first, second):
        return x + 2**-0.5 * conv(unit(conv(unit(x), first)), second)

    def convolutions(weights, X):
        x = block(conv(X, weights[0]), *weights[1:3])
        x = x.reshape(len(x), 7, 2, 7, 2, -1).mean((2, 4))
        x = unit(block(conv(x, weights[3]), *weights[4:6])).mean((1, 2))
        return x @ weights[6][0] / x.shape[-1] ** 0.5

    return {"dense": dense, "convolutions": convolutions}[problem.network]


def given(problem: Images):
    return [jnp.asarray(W) for W in problem.weights], jnp.asarray(problem.X), jnp.asarray(problem.y)


def run(problem: Images, step, quantity: str = "step") -> Run:
    """The step is given as a function from (weights, X, y) to the new weights."""
    weights, X, y = given(problem)
    return Run(
        lambda: jax.block_until_ready(step(weights, X, y)),
        quantity=quantity,
        array=lambda new: ravel_pytree(new)[0] - problem.theta,
    )


def solved(K, r, problem: Images):
    return cho_solve(cho_factor(K + problem.n * problem.damping * jnp.eye(len(r))), -r)


def jacobian(problem: Images) -> Run:
    """The gradients of all samples, their products, and a Cholesky solve."""
    f = network(problem)

    @jax.jit
    def step(weights, X, y):
        flat, back = ravel_pytree(weights)
        rows = jax.vmap(jax.value_and_grad(lambda v, x: f(back(v), x[None])[0]), (None, 0))
        outputs, J = rows(flat, X)
        return back(flat + solved(J @ J.T, outputs - y, problem) @ J)

    return run(problem, step)


def layers(problem: Images) -> Run:
    """The dense network's Gram matrix by layers, as the library does it: the strongest rival."""
    gain = problem.gain

    @jax.jit
    def step(weights, X, y):
        A, slopes = [X / X.shape[1] ** 0.5], []
        for W in weights[:-1]:
            z = A[-1] @ W.T
            s, scale = jax.nn.sigmoid(z), (gain / len(W)) ** 0.5
            A.append(scale * z * s)
            slopes.append(scale * s * (1 + z * (1 - s)))
        r = A[-1] @ weights[-1][0] - y
        D = [jnp.ones((len(y), 1))]
        for W, slope in zip(weights[:0:-1], slopes[::-1], strict=True):
            D.insert(0, (D[0] @ W) * slope)
        z = solved(sum((d @ d.T) * (a @ a.T) for d, a in zip(D, A, strict=True)), r, problem)
        return [W + (d * z[:, None]).T @ a for W, d, a in zip(weights, D, A, strict=True)]

    return run(problem, step)


def gradient(problem: Images) -> Run:
    """A step of gradient descent, what SGD does with a batch."""
    f = network(problem)

    @jax.jit
    def step(weights, X, y):
        g = jax.grad(lambda weights: jnp.mean((f(weights, X) - y) ** 2) / 2)(weights)
        return [W - slope for W, slope in zip(weights, g, strict=True)]

    return run(problem, step, "gradient")


def nlls_gram(problem: Images) -> Run:
    """One step of nlls-gram's Levenberg-Marquardt, which forms the Jacobian."""
    from nlls_gram import Cholesky, LevenbergMarquardt

    f = network(problem)
    solver = LevenbergMarquardt(
        lambda weights, data: f(weights, data[0]) - data[1],
        linear_solver=Cholesky(form="gram"),
        init_damping=problem.n * problem.damping,
        geodesic_acceleration=False,
    )
    weights, X, y = given(problem)
    state = solver.init(weights, (X, y))
    update = jax.jit(lambda weights, state, data: solver.update(weights, state, data))
    return Run(
        lambda: jax.block_until_ready(update(weights, state, (X, y))),
        array=lambda out: ravel_pytree(out[0])[0] - problem.theta,
    )


def neural_tangents(problem: Images) -> Run:
    """The Gram matrix by neural-tangents' structured derivatives, with the two names that its JAX has moved."""
    from jax._src import config, source_info_util
    from jax.interpreters import ad

    ad.config, ad.source_info_util = config.config, source_info_util
    import neural_tangents as nt

    f = network(problem)
    kernel = nt.empirical_ntk_fn(
        lambda weights, X: f(weights, X)[:, None],
        vmap_axes=0,
        implementation=nt.NtkImplementation.STRUCTURED_DERIVATIVES,
    )

    @jax.jit
    def step(weights, X, y):
        outputs, pull = jax.vjp(lambda weights: f(weights, X), weights)
        [delta] = pull(solved(kernel(X, None, weights), outputs - y, problem))
        return [W + d for W, d in zip(weights, delta, strict=True)]

    return run(problem, step)
