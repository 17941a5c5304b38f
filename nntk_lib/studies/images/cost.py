"""Multiplications of a step, counted."""

from __future__ import annotations

from ... import Deep, Residual
from ...networks.conv.gram import gram_cost
from .tasks import BATCH, EPOCHS, NETWORKS


def operations(net: Deep | Residual, shape: tuple[int, ...], method: str, b: int = BATCH) -> dict[str, int]:
    """Multiplications of matrix products in a step of b samples with one output, by what they are for.

    A layer of S places with fan-in u and o outputs takes b S u o for each of: its outputs ("forward"), the signals of
    the layer before it, which the first one has none of ("backward"), and the sum of its gradients ("gradient"). The
    rest is in the keys "gram", "solve", "push" (J v, for SPRING), and "factors" (of K-FAC, with their inverses in
    "solve"); of symmetric products a half is counted.
    """
    if isinstance(net, Deep):
        layers = [(1, u, o, gram_cost(b, 1, 1, u, o)[1]) for o, u in net.shapes(shape[0])]
    else:
        layers = [(row.places, row.ins, row.outs, min(row.folded, row.ghost)) for row in net.plan(shape, b)]
    work = [b * S * u * o for S, u, o, _ in layers]
    count = {"forward": sum(work), "backward": sum(work[1:]), "gradient": sum(work)}
    if method in ("gram-gauss-newton", "heavy-ball", "spring"):
        count |= {"gram": sum(gram for *_, gram in layers), "solve": b**3 // 6}
    if method == "spring":
        count |= {"push": 2 * sum(work) - work[0]}
    if method.startswith("kfac"):
        factors = sum(b * (u * u + o * o) // 2 for _, u, o, _ in layers)
        count |= {"factors": factors, "solve": sum((u**3 + o**3) // 6 + u * o * (u + o) for _, u, o, _ in layers)}
    return count


def work(name: str, method: str) -> float:
    """Multiplications of a step of a method on a task, over those of a step of SGD."""
    ours, theirs = (operations(*NETWORKS[name], m) for m in (method, "momentum"))
    return sum(ours.values()) / sum(theirs.values())


def same_work(name: str, method: str) -> int:
    """Whole epochs of a method that cost at most as much as all of SGD's."""
    return int(EPOCHS[name] / work(name, method))
