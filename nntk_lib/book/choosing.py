"""One table of directions, damping rules, routes and losses: what each is, what it costs, when to take it.

The page "How to choose" is made from it; a test holds it against what the library has. Costs are of one step, beside
the network's evaluation: n samples with C outputs, N = n C, P parameters; for a shallow network m neurons with p
parameters each. The text is Markdown with formulas.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Choice:
    """A row: the name in the library, what it does, what a step costs, and when it is the one to take."""

    name: str
    what: str
    cost: str
    when: str


DIRECTIONS = [
    Choice(
        "Gradient",
        r"$-\eta\,s\,\nabla L$, with the kernel scale $s$ of the network",
        r"one $J^\top a$",
        "As a baseline, and where the kernel is well conditioned: the steps needed grow with its condition number.",
    ),
    Choice(
        "GaussNewton",
        r"$(bJ^\top HJ+aI)\,\Delta=-\nabla L$, in the space of the outputs or of the parameters",
        r"Gram matrix and $N^3/3$; with $P<N$ singular values of an $N\times P$ matrix",
        "The default: descends for every damping, needs no second derivatives, and no Jacobian when $N\\le P$. "
        "On the full batch while $N$ is at most a few thousand, else on mini-batches.",
    ),
    Choice(
        "Spring",
        r"Gauss-Newton with momentum: the damping pulls toward $\mu$ times the last step, not toward zero",
        "as GaussNewton, and one $Jv$",
        "On mini-batches with damping; a large momentum without damping may diverge.",
    ),
    Choice(
        "Newton",
        r"$(\nabla^2L+aI)\,\Delta=-\nabla L$ of a shallow network, exactly, for any width",
        r"$m\,p\,n^2$ for the rank update, $m\,p^3$ for the blocks; linear in $m$",
        "For the residual curvature itself: large residuals at the end, saddle points, the theory of the Newton paper. "
        "In the chapter on speed Gauss-Newton is ahead of exact Newton at every level, L-BFGS to larger losses too.",
    ),
    Choice(
        "LevenbergMarquardt",
        "Gauss-Newton whose damping follows the gain ratio, and which takes a poor step back",
        "as GaussNewton; a step taken back costs one factorization, the Gram matrix is kept",
        "When no damping is known beforehand, on the full batch. On mini-batches the gain of one batch says little.",
    ),
    Choice(
        "Momentum",
        "stochastic gradients with momentum, plain or Nesterov's",
        r"one $J^\top a$",
        "As a baseline on mini-batches.",
    ),
    Choice(
        "Adam",
        "gradients divided by the root of their second moment",
        r"one $J^\top a$",
        "As a baseline where a single learning rate does not fit all layers.",
    ),
    Choice(
        "KFAC",
        "a Kronecker-factored approximation of Gauss-Newton, layer by layer, for dense layers",
        "two factorizations a layer, of the orders of its inputs and outputs",
        "On deep dense networks with batches so large that $N^3$ is too much.",
    ),
]

DAMPINGS = [
    Choice("Constant", r"$a$, $b$ fixed; $(0,1)$ undamped, $(1,0)$ the gradient", "nothing", "Mini-batches; flows."),
    Choice(
        "Gamma",
        r"$a=\gamma/s$, which is $\gamma m^{1-2\beta}$ for a shallow network",
        "nothing",
        "To compare widths: in these units the limit of infinite width exists.",
    ),
    Choice(
        "ResidualNorm",
        r"$\gamma=\max(\text{floor},c\lVert q\rVert)$, $\lVert q\rVert=\lVert r\rVert/\sqrt n$ for the mean square",
        "nothing",
        "With Gauss-Newton on a full batch that can be fitted: order two at the end, if $c$ is found.",
    ),
    Choice(
        "Smallest",
        r"$a=\max(\alpha\lambda_{\min}(JJ^\top),\text{floor})$",
        r"eigenvalues, $4N^3/3$",
        "For rates that forget the kernel (mean-field chapters). The floor decides where the kernel is singular.",
    ),
    Choice(
        "Convex",
        r"$(a,b)=(\rho,1-\rho)$, $\rho=r\lambda/(1+r\lambda)$",
        r"eigenvalues, $4N^3/3$, if adaptive",
        "To interpolate between gradient flow and Gauss-Newton flow.",
    ),
    Choice(
        "GainRatio",
        "from the last step's actual over predicted decrease",
        "one evaluation of the batch, if it is one",
        "With LevenbergMarquardt.",
    ),
    Choice(
        "AboveThreshold",
        r"$\gamma=\max(\text{floor},\tau\gamma^\ast)$, the smallest safe one times $\tau>1$",
        r"eigenvalues of the blocks, $m\,p^3$",
        "With Newton: always a direction of descent, and an order of convergence near two at the end.",
    ),
]

ROUTES = [
    Choice(
        "Direct",
        "Cholesky factors of the blocks, their eigenvalues where one is indefinite",
        "see Newton",
        "The default: its time depends on neither the data nor the damping.",
    ),
    Choice(
        "ConjugateGradients",
        "Hessian-vector products to a relative residual",
        r"$m\,n\,p$ a product",
        "From about 100 inputs or 2,000 samples on, with a large damping.",
    ),
    Choice(
        "Auto",
        "conjugate gradients for as long as Direct would take, then Direct",
        "at most twice the better one",
        "When sizes and damping vary from call to call.",
    ),
]

LOSSES = [
    Choice("Square", r"$\frac1{2n}\sum r^2$, or the sum", r"$R$ diagonal", "Regression."),
    Choice("WeightedSquare", r"$\frac1{2n}\sum_j a_jr_j^2$", r"$R$ diagonal", "Samples of different weight or noise."),
    Choice("LogCosh", r"a weighted square and $b\log\cosh r$", r"$R$ diagonal", "Strongly convex, with outliers."),
    Choice("Logistic", r"$\log(1+e^{-yf})$ and a ridge $f^2/2$", r"$R$ diagonal", "Two classes, labels $\\pm1$."),
    Choice("CrossEntropy", "minus the logarithm of the softmax", r"$R$ in blocks $C\times C$", "$C$ classes."),
]

TABLES = {
    "Directions": DIRECTIONS,
    "Damping rules": DAMPINGS,
    "Routes of Newton's system": ROUTES,
    "Losses": LOSSES,
}
