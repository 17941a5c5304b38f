"""neural-tangents, for kernels of infinitely wide networks: needs the extra [bench-kernels], with its older JAX."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import neural_tangents as nt  # noqa: E402
from neural_tangents import stax  # noqa: E402
from problems import Problem, Run  # noqa: E402

jax.config.update("jax_enable_x64", True)


def network(problem: Problem, activation, width: int = 1):
    """Our parametrization: pre-activations w.x with standard normal w, output weights of variance one, no biases.

    stax divides the weights by the square root of the number of inputs, which W_std = sqrt(d) takes back.
    """
    layers = stax.Dense(width, W_std=problem.d**0.5), activation, stax.Dense(1, W_std=1.0)
    return stax.serial(*layers)


def kernel(problem: Problem, function, warm=None, **info) -> Run:
    X = jnp.asarray(problem.X)
    return Run(
        lambda: jax.block_until_ready(function(X)),
        warm=warm,
        quantity="kernel",
        info=lambda value: info,
    )


def erf(problem: Problem) -> Run:
    """The closed form of Williams (1997)."""
    _, _, kernel_fn = network(problem, stax.Erf())
    return kernel(problem, jax.jit(lambda X: kernel_fn(X, None, "ntk")))


def tanh_quadrature(problem: Problem, degree: int) -> Run:
    """ElementwiseNumerical, the two-dimensional Gauss-Hermite rule of the given degree."""
    _, _, kernel_fn = network(problem, stax.ElementwiseNumerical(jnp.tanh, deg=degree))
    function = jax.jit(lambda X: kernel_fn(X, None, "ntk"))
    compiled = function.lower(jnp.asarray(problem.X)).compile()
    return kernel(problem, compiled, warm=lambda: None, nodes=degree)


def tanh_monte_carlo(problem: Problem, width: int, networks: int) -> Run:
    """Mean of the empirical kernels of a few finite networks."""
    init_fn, apply_fn, _ = network(problem, stax.Elementwise(jnp.tanh), width)
    sampled = nt.monte_carlo_kernel_fn(init_fn, apply_fn, jax.random.PRNGKey(0), networks)
    return kernel(problem, lambda X: sampled(X, None, "ntk"), width=width, networks=networks)
