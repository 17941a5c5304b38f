"""Steps of deep networks on images in PyTorch, by its function transforms."""

from __future__ import annotations

import torch
from problems import Images, Run
from torch.func import grad_and_value, vmap
from torch.nn import functional as F


def network(problem: Images):
    """The output of one image."""
    gain = problem.gain

    def dense(weights, x):
        a = x / len(x) ** 0.5
        for W in weights[:-1]:
            a = (gain / len(W)) ** 0.5 * F.silu(W @ a)
        return weights[-1][0] @ a

    def conv(x, W):
        return F.conv2d(x, W, padding=1) / (9 * x.shape[1]) ** 0.5

    def unit(x):
        return gain**0.5 * F.silu(F.group_norm(x, 4, eps=1e-5))

    def block(x, first, second):
        return x + 2**-0.5 * conv(unit(conv(unit(x), first)), second)

    def convolutions(weights, x):
        x = block(conv(x[None], weights[0]), *weights[1:3])
        x = unit(block(conv(F.avg_pool2d(x, 2), weights[3]), *weights[4:6])).mean((0, 2, 3))
        return weights[6][0] @ x / len(x) ** 0.5

    return {"dense": dense, "convolutions": convolutions}[problem.network]


def jacobian(problem: Images) -> Run:
    """The gradients of all samples, their products, and a Cholesky solve."""
    f, images = network(problem), problem.network != "dense"
    weights = [torch.tensor(W) for W in problem.weights]
    X, y = torch.tensor(problem.X), torch.tensor(problem.y)
    if images:  # channels before pixels
        weights = [W.permute(0, 3, 1, 2).contiguous() for W in weights[:-1]] + weights[-1:]
        X = X.permute(0, 3, 1, 2).contiguous()
    rows = vmap(grad_and_value(f), (None, 0))

    def step():
        J, outputs = rows(weights, X)
        J = torch.cat([part.flatten(1) for part in J], 1)
        K = J @ J.T
        K.diagonal().add_(problem.n * problem.damping)
        delta = J.T @ torch.cholesky_solve((y - outputs)[:, None], torch.linalg.cholesky(K))
        parts = delta.flatten().split([W.numel() for W in weights])
        return [W + part.reshape(W.shape) for W, part in zip(weights, parts, strict=True)]

    def array(new):
        if images:
            new = [W.permute(0, 2, 3, 1) for W in new[:-1]] + new[-1:]
        return torch.cat([W.flatten() for W in new]).numpy() - problem.theta

    return Run(step, array=array)
