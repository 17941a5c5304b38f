r"""The Gram matrix of the weights of one layer, in two exact forms, and the count that chooses.

A layer applies W to what each of its S places sees: u_s in R^u, for a 3 x 3 convolution the patch around pixel s; a
dense layer has one place. The gradient of one output of sample j with respect to W (o x u) is a sum of outer products,

    G_j = sum_s delta_js u_js^T,

with delta_js in R^o the derivative of the output with respect to what W gives at place s. Two ways to <G_j, G_k>:

* **folded**: form G_j for all samples, a few rows of W at a time, and multiply: G G^T. With N = n q rows (q outputs),
  N S u o + N^2 u o / 2 multiplications.
* **ghost**: never form it, because <G_j, G_k> = sum_{s,t} <u_js, u_kt> <delta_js, delta_kt>. Each unordered pair of
  samples has S^2 pairs of places: (n^2 u + N^2 (o + 1)) S^2 / 2 multiplications.

With one place the ghost form is the Hadamard product (Delta Delta^T) o (U U^T) of a dense layer, Cai et al. (2019),
Section 3.3. Few places with many channels, late in a network, want the ghost form, and many places the folded one. Both
are exact; to multiply sum_{s,t} <u, u'> by sum_{s,t} <delta, delta'> and to divide by S is not. The rule of the smaller
count is that of mixed ghost clipping (Bu, Mao, Xu 2022), carried from norms to inner products.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...exceptions import Array, ParameterError
from ...linalg.rank_update import symmetric
from ...linalg.streaming import ENTRIES, budget, pieces

FORMS = ("auto", "folded", "ghost")


def gram_cost(n: int, outputs: int, places: int, ins: int, outs: int) -> tuple[int, int]:
    """Multiplications of the two forms of a layer's Gram matrix; ``form="auto"`` takes the smaller one, ghost if equal.

    Parameters
    ----------
    n, outputs : int
        Samples, and outputs of the network.
    places : int
        S, the number of pixels that the layer computes; 1 for a dense layer.
    ins, outs : int
        Fan-in u (9 times the channels for a 3 x 3 convolution), and channels o that the layer computes.

    Returns
    -------
    folded, ghost : int
        N S u o + N^2 u o / 2 and (n^2 u + N^2 (o + 1)) S^2 / 2, with N = n times outputs, rounded down.

    Examples
    --------
    >>> gram_cost(128, 1, places=144, ins=9 * 16, outs=32)  # early: folded
    (122683392, 30066868224)
    >>> gram_cost(128, 1, places=16, ins=9 * 256, outs=512)  # late: ghost
    (12079595520, 5907677184)
    >>> gram_cost(128, 1, places=1, ins=784, outs=512)  # dense: Hadamard
    (3339714560, 10625024)
    """
    N = n * outputs
    folded = N * places * ins * outs + N**2 * ins * outs // 2
    ghost = (n**2 * ins + N**2 * (outs + 1)) * places**2 // 2
    return folded, ghost


def chosen(n: int, outputs: int, places: int, ins: int, outs: int) -> str:
    """The form with the smaller count of :func:`gram_cost`."""
    folded, ghost = gram_cost(n, outputs, places, ins, outs)
    return "ghost" if ghost <= folded else "folded"


def product_gram(
    x: Array, D: Array, unfold: Callable[[Array], Array], ins: int, form: str, memory: int | None
) -> Array:
    """<G_j, G_k> for all signals j, k.

    Parameters
    ----------
    x : ndarray, axis 0 the n samples
        The input of the layer.
    D : ndarray, shape (n, q, places, outs)
        q signals a sample.
    unfold : callable
        Gives what every place sees, shape (samples, places, ins), for a slice of x.
    ins : int
        Fan-in u.
    form : {"auto", "folded", "ghost"}
    memory : int or None
        Bytes of temporaries; see :func:`nntk_lib.linalg.streaming.budget`.

    Returns
    -------
    ndarray, shape (n q, n q), symmetric to the last bit
    """
    n, q, places, outs = D.shape
    form = chosen(n, q, places, ins, outs) if form == "auto" else form
    return {"folded": folded, "ghost": ghost}[form](x, D, unfold, ins, memory)


def folded(x: Array, D: Array, unfold: Callable[[Array], Array], ins: int, memory: int | None) -> Array:
    """The folded form: gradients of all samples for some rows of W at a time, then G G^T."""
    n, q, places, outs = D.shape
    dtype = np.result_type(x, D)
    K = np.zeros((n * q, n * q), dtype)
    row, sample = n * q * ins, 2 * places * ins  # floats of G for a row of W, and of one sample's patches and frame
    least = K.itemsize * (2 * K.size + sample + row)
    left = budget(memory, least) // K.itemsize - 2 * K.size - sample
    rows = min(outs, left // row)
    require(rows, memory, least, n * q)
    samples = min(left - rows * row, ENTRIES) // sample + 1
    for out in pieces(outs, rows):
        G = np.empty((n, q, out.stop - out.start, ins), dtype)
        for part in pieces(n, samples):
            np.matmul(D[part, ..., out].swapaxes(-1, -2), unfold(x[part])[:, None], out=G[part])
        G = G.reshape(n * q, -1)
        K += G @ G.T
        del G  # before the next one is there
    return K


def ghost(x: Array, D: Array, unfold: Callable[[Array], Array], ins: int, memory: int | None) -> Array:
    """The ghost form: inner products of places, a block of samples with another one at a time.

    There are at least four blocks, because a block with itself is computed whole.
    """
    n, q, places, outs = D.shape
    K = np.zeros((n * q, n * q), np.result_type(x, D))
    pair, sample = places**2 * (1 + q * q) + q * q, places * (4 * ins + q * outs)  # floats of a pair, of a sample
    least = K.itemsize * (K.size + pair + sample)
    left = budget(memory, least) // K.itemsize - K.size
    fits = int((np.sqrt(sample**2 + 4 * pair * max(left, 0)) - sample) / (2 * pair))
    size = min(-(-n // 4), max(fits, int(left >= pair + sample)))  # the root of large numbers is rounded
    require(size, memory, least, n * q)

    def block(I: slice, J: slice) -> Array:
        U = unfold(x[I]).reshape(-1, ins)
        V = U if I == J else unfold(x[J]).reshape(-1, ins)
        A = (U @ V.T).reshape(-1, places, J.stop - J.start, places)
        B = (D[I].reshape(-1, outs) @ D[J].reshape(-1, outs).T).reshape(-1, q, places, J.stop - J.start, q, places)
        return np.einsum("isjt,icsjdt->icjd", A, B).reshape(len(A) * q, -1)

    for I in pieces(n, size):
        rows = slice(I.start * q, I.stop * q)
        K[rows, rows] = symmetric(block(I, I))
        for J in pieces(n, size):
            if J.start > I.start:
                columns = slice(J.start * q, J.stop * q)
                K[rows, columns] = block(I, J)
                K[columns, rows] = K[rows, columns].T
    return K


def require(size: int, memory: int | None, bytes_needed: int, order: int) -> None:
    """Raise `ParameterError` where a budget holds no piece at all."""
    if size < 1:
        raise ParameterError(
            f"memory = {memory} bytes is too little: a Gram matrix of order {order} needs {bytes_needed} bytes of "
            "temporaries at least. Allow more, leave memory out, or take a smaller batch."
        )
