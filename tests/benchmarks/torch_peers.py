"""PyTorch, and curvlinops on top of it."""

from __future__ import annotations

import numpy as np
import torch
from curvlinops import HessianLinearOperator
from problems import Problem, Run
from scipy.sparse.linalg import LinearOperator, cg


def tensors(problem: Problem):
    return torch.tensor(problem.theta), torch.tensor(problem.X), torch.tensor(problem.y)


def loss_of(problem: Problem, X, y):
    """The loss of flat parameters."""

    def loss(flat):
        theta = flat.reshape(-1, problem.d + 1)
        f = problem.scale * (theta[:, 0] @ torch.tanh(theta[:, 1:] @ X.T))
        return 0.5 * torch.mean((f - y) ** 2)

    return loss


def solved(problem: Problem, product, right, tol: float) -> tuple[np.ndarray, int]:
    """SciPy's conjugate gradients with the damping added, and the number of iterations."""
    count = 0

    def counted(_):
        nonlocal count
        count += 1

    system = LinearOperator((len(right),) * 2, lambda v: product(v) + problem.damping * v, dtype=float)
    return cg(system, right, rtol=tol, callback=counted)[0], count


def conjugate(problem: Problem, tol: float = 1e-8) -> Run:
    """Hessian-vector products by double backward, the graph of the gradient kept between them."""
    theta, X, y = tensors(problem)
    loss, flat = loss_of(problem, X, y), theta.reshape(-1).requires_grad_(True)

    def step(tol):
        [g] = torch.autograd.grad(loss(flat), flat, create_graph=True)

        def product(v):
            return torch.autograd.grad(g, flat, torch.from_numpy(v), retain_graph=True)[0].numpy()

        return solved(problem, product, -g.detach().numpy(), tol)

    return Run(
        lambda: step(tol),
        warm=lambda: step(0.9),
        array=lambda found: found[0].reshape(theta.shape),
        info=lambda found: {"iterations": found[1]},
    )


class Network(torch.nn.Module):
    """The network as a module, with the parameters W of shape (m, d) and c of shape (1, m)."""

    def __init__(self, problem: Problem):
        super().__init__()
        self.scale = problem.scale
        self.W = torch.nn.Parameter(torch.tensor(problem.theta[:, 1:]))
        self.c = torch.nn.Parameter(torch.tensor(problem.theta[:, :1].T))

    def forward(self, X):
        return self.scale * torch.nn.functional.linear(torch.tanh(torch.nn.functional.linear(X, self.W)), self.c)


def curvlinops_conjugate(problem: Problem, tol: float = 1e-8) -> Run:
    """HessianLinearOperator as a SciPy operator; its check that two products agree is off."""
    network, (_, X, y), (m, d) = Network(problem), tensors(problem), (problem.m, problem.d)
    parameters, loss = list(network.parameters()), torch.nn.MSELoss()  # twice our loss

    def step(tol):
        hessian = HessianLinearOperator(network, loss, parameters, [(X, y[:, None])], check_deterministic=False)
        g, _ = hessian.gradient_and_loss()
        right = -0.5 * torch.cat([part.reshape(-1) for part in g]).detach().numpy()
        operator = hessian.to_scipy()
        return solved(problem, lambda v: 0.5 * (operator @ v), right, tol)

    def array(found):  # from (W, c) to rows (c_i, w_i)
        return np.column_stack([found[0][m * d :], found[0][: m * d].reshape(m, d)])

    return Run(lambda: step(tol), warm=lambda: step(0.9), array=array, info=lambda found: {"iterations": found[1]})


def cholesky(problem: Problem) -> Run:
    """The assembled Hessian, factored by PyTorch: OpenBLAS's Cholesky ended the process at order 22,528."""
    from ours import assembled

    def step():
        H, g = map(torch.from_numpy, assembled(problem))
        return -torch.cholesky_solve(g[:, None], torch.linalg.cholesky(H))

    return Run(step, warm=lambda: None, array=lambda v: v.numpy().reshape(problem.theta.shape))


def dense(problem: Problem, batch: int = 8) -> Run:
    """torch.func's Hessian, reverse over reverse in batches of rows, and a Cholesky solve."""
    theta, X, y = tensors(problem)
    slope = torch.func.grad(loss_of(problem, X, y))

    def step(flat):
        H = torch.func.jacrev(slope, chunk_size=batch)(flat)
        H.diagonal().add_(problem.damping)
        return torch.cholesky_solve(-slope(flat)[:, None], torch.linalg.cholesky(H))

    flat = theta.reshape(-1)
    return Run(
        lambda: step(flat), warm=lambda: step(flat[: problem.d + 1]), array=lambda v: v.numpy().reshape(theta.shape)
    )
