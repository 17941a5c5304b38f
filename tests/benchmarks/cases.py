"""What is measured: groups of cases, and the methods of each case.

A case is one problem with its methods; the first method gives the reference that the results of the others are compared
with. Repetitions are interleaved: every method once, then every method again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import product

from problems import Images, Problem

#: name: (module, function, options). The modules ending in _peers need the extra [bench] or [bench-kernels].
METHODS = {
    "nntk": ("ours", "newton", {}),
    "nntk-float32": ("ours", "newton", {"precision": "single"}),
    "nntk-cg": ("ours", "newton", {"route": "cg", "rtol": 1e-8}),
    "nntk-auto": ("ours", "newton", {"route": "auto", "rtol": 1e-8}),
    "nntk-gradient": ("ours", "gradient", {}),
    "nntk-gauss-newton": ("ours", "gauss_newton", {}),
    "nntk-limit": ("ours", "limit_kernel", {}),
    "nntk-training": ("ours", "training", {"steps": 3}),
    "numpy-dense": ("ours", "dense", {}),
    "jax-structured": ("jax_peers", "structured", {}),
    "jax-cg": ("jax_peers", "conjugate", {}),
    "jax-cg-1e-3": ("jax_peers", "conjugate", {"tol": 1e-3}),
    "jax-cg-1e-2": ("jax_peers", "conjugate", {"tol": 1e-2}),
    "jax-dense": ("jax_peers", "dense", {}),
    "jax-gradient": ("jax_peers", "gradient", {}),
    "jax-jacobian": ("jax_peers", "gauss_newton", {"hadamard": False}),
    "jax-hadamard": ("jax_peers", "gauss_newton", {"hadamard": True}),
    "torch-cg": ("torch_peers", "conjugate", {}),
    "curvlinops-cg": ("torch_peers", "curvlinops_conjugate", {}),
    "torch-cholesky": ("torch_peers", "cholesky", {}),
    "torch-dense": ("torch_peers", "dense", {}),
    "scipy-trf-exact": ("scipy_peers", "trf", {"tr_solver": "exact"}),
    "scipy-trf-lsmr": ("scipy_peers", "trf", {"tr_solver": "lsmr"}),
    "scipy-trust-ncg": ("scipy_peers", "trust_region", {"method": "trust-ncg"}),
    "scipy-trust-krylov": ("scipy_peers", "trust_region", {"method": "trust-krylov"}),
    "trapezoid-401": ("machine", "trapezoid", {"nodes": 401, "samples": 40}),
    "neural-tangents-erf": ("neural_tangents_peers", "erf", {}),
    "neural-tangents-tanh-25": ("neural_tangents_peers", "tanh_quadrature", {"degree": 25}),
    "neural-tangents-tanh-mc": ("neural_tangents_peers", "tanh_monte_carlo", {"width": 1024, "networks": 4}),
    "images-nntk": ("images_ours", "gauss_newton", {}),
    "images-nntk-gradient": ("images_ours", "gradient", {}),
    "images-jax-jacobian": ("images_jax", "jacobian", {}),
    "images-jax-layers": ("images_jax", "layers", {}),
    "images-jax-gradient": ("images_jax", "gradient", {}),
    "images-nlls-gram": ("images_jax", "nlls_gram", {}),
    "images-torch-jacobian": ("images_torch", "jacobian", {}),
    "neural-tangents-structured": ("images_jax", "neural_tangents", {}),
    "dgemm": ("machine", "product", {}),
    "dgemm-rank": ("machine", "rank_update", {"symmetric": False}),
    "dsyrk-rank": ("machine", "rank_update", {"symmetric": True}),
    "add": ("machine", "add", {}),
    "tanh": ("machine", "tanh", {}),
}
TRAININGS = ("newton-safe", "newton-fixed", "newton-cg", "gauss-newton", "gauss-newton-residual")
TRAININGS += ("gradient-descent", "adam", "l-bfgs")
METHODS |= {name: ("training", "curve", {"method": name}) for name in TRAININGS}


@dataclass(frozen=True)
class Case:
    """One problem, given to several methods in turn.

    Attributes
    ----------
    group : str
    methods : tuple of str
        Keys of `METHODS`; results are compared with that of the first.
    problem : Problem
    repetitions : int
    options : dict
        Given to every method, beside its own.
    """

    group: str
    methods: tuple[str, ...]
    problem: Problem | Images
    repetitions: int = 3
    options: tuple[tuple[str, object], ...] = ()
    once: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return "-".join([self.group, *(str(value) for _, value in self.options), *self.problem.words])

    def trials(self) -> Iterator[tuple[str, int]]:
        """Method and repetition in the order of the measurements."""
        for k in range(self.repetitions):
            yield from ((method, k) for method in self.methods if k == 0 or method not in self.once)

    def record(self, method: str) -> dict:
        return {"group": self.group, "case": self.name, "method": method} | self.problem.record()

    def asked(self, method: str) -> tuple[str, str, dict, str, dict]:
        """Module, function, options, and the problem's class and arguments, as a worker wants them."""
        module, function, options = METHODS[method]
        return module, function, options | dict(self.options), type(self.problem).__name__, asdict(self.problem)


def group(name, methods, problems, repetitions=3, once="", **options) -> list[Case]:
    """Cases that differ in the problem only; `repetitions` may be a function of the problem."""
    count = repetitions if callable(repetitions) else lambda problem: repetitions
    methods, once, options = tuple(methods.split()), tuple(once.split()), tuple(options.items())
    return [Case(name, methods, p, count(p), options, once) for p in problems]


def work(p: Problem) -> float:
    """Multiplications of the rank-n update."""
    return p.m * (p.d + 1) * p.n**2


def often(p: Problem) -> int:
    """Repetitions by the size of the problem."""
    return 7 if work(p) < 3e9 else 5 if work(p) < 3e10 else 3


SHAPES = [(1, 100), (2, 100), (10, 100), (2, 500)]  # (d, n)
WIDTHS = [10**3, 10**4, 10**5, 10**6]


def all_cases() -> list[Case]:
    tall = [Problem(10**6, 10, 100, gamma) for gamma in (1.0, 0.1)] + [Problem(10**6, 10, 100, 1e-3, "box", "quiet")]
    wide = [Problem(10**5, 10, 500, 0.1), Problem(10**5, 10, 500, 1e-3, "box", "quiet")]
    roofline = [Problem(m, d, n) for m, d, n in product(WIDTHS, (1, 2, 10), (100, 500)) if m * n * d <= 10**9]
    roofline += [Problem(10**4, d, n) for d, n in product((2, 10), (1000, 2000)) if d * n < 2e4]
    float32 = [Problem(10**5, d, n, 1.0) for d, n in SHAPES[1:]]
    float32 += [Problem(10**5, 2, 100, g, "box", "quiet") for g in (0.1, 1e-2, 1e-3)]
    kernels = [Problem(0, 10, n, inputs="normal") for n in (500, 2000)]
    gammas = ((1.0,), (0.1,), (0.01, "box", "quiet"))
    routes = [Problem(1000, d, n, *choice) for d, n, choice in product((10, 100, 300), (100, 500, 2000), gammas)]
    # up to 20 s each by the direct route, whatever gamma: once is enough
    longest = [p for p in routes if (p.d == 300 or work(p) > 2e11) and p.gamma < 1]
    return [
        *group("machine", "dgemm add tanh", [Problem()], 5),
        *group("machine", "dgemm-rank dsyrk-rank", [Problem(0, 1, n) for n in (100, 500)], 5),
        *group("structured-jax", "nntk jax-structured", [Problem(10**4, 2, 100)], 7),
        *group("structured-jax", "nntk jax-structured", [Problem(10**5, d, n) for d, n in SHAPES], 5),
        *group("cg", "nntk jax-cg nntk-cg", tall, 2, once="nntk-cg"),
        *group("cg", "nntk jax-cg nntk-cg", wide, 3, once="nntk-cg"),
        *group("cg", "nntk jax-cg nntk-cg torch-cg curvlinops-cg", [Problem(10**5, 10, 100, g) for g in (1.0, 0.1)], 3,
               once="torch-cg curvlinops-cg"),
        *group("tolerance", "nntk jax-cg-1e-2 jax-cg-1e-3 jax-cg",
               [tall[0], tall[2], *wide, *(Problem(10**5, 10, 100, g) for g in (1.0, 0.1))], 3, once="jax-cg"),
        *group("dense", "nntk numpy-dense jax-dense torch-dense", [Problem(256, d, 100) for d in (1, 2, 10)], 5),
        *group("dense", "nntk numpy-dense jax-dense torch-dense", [Problem(1024, d, 100) for d in (1, 2)], 3,
               once="torch-dense"),
        *group("dense", "nntk numpy-dense jax-dense", [Problem(1024, 10, 100)], 5, once="numpy-dense jax-dense"),
        *group("dense", "nntk torch-cholesky", [Problem(2048, 10, 100)], 7, once="torch-cholesky"),
        *group("least-squares", "nntk scipy-trf-exact scipy-trf-lsmr scipy-trust-ncg scipy-trust-krylov",
               [Problem(10**4, d, 100) for d in (1, 10)], 3),
        *group("gradient", "nntk-gradient jax-gradient nntk",
               [Problem(m, d, n) for m, (d, n) in product(WIDTHS[1:], SHAPES)], often),
        *group("roofline", "nntk dgemm", roofline, often),
        *group("memory", "nntk", [Problem(m, 2, 100) for m in (10**4, 10**5, 10**6, 3 * 10**6, 10**7)], often),
        *group("float32", "nntk nntk-float32", float32, 3),
        # The authors' code of the mean-field paper is not redistributed: jax-jacobian forms the Jacobian as it does.
        *group("gauss-newton", "nntk-gauss-newton jax-hadamard jax-jacobian",
               [Problem(5000, 10, 500, act="relu", beta=1.0)], 3),
        *group("gauss-newton", "nntk-gauss-newton jax-hadamard", [Problem(50_000, 10, 500, act="relu", beta=1.0)], 3),
        # images-jax-jacobian first: the dense reference of every error.
        *group("images", "images-jax-jacobian images-nntk images-jax-layers images-nlls-gram images-torch-jacobian "
               "neural-tangents-structured images-nntk-gradient images-jax-gradient", [Images("dense")], 25),
        *group("images", "images-jax-jacobian images-nntk images-nlls-gram images-torch-jacobian "
               "neural-tangents-structured images-nntk-gradient images-jax-gradient", [Images("convolutions")], 7,
               once="images-nlls-gram"),
        *group("limit-kernel", "nntk-limit neural-tangents-erf", [replace(p, act="erf") for p in kernels], 3),
        *group("limit-kernel", "trapezoid-401 nntk-limit", kernels[1:], 1),
        *group("limit-kernel", "trapezoid-401 nntk-limit neural-tangents-tanh-25 neural-tangents-tanh-mc",
               kernels[:1], 1),
        *group("routes", "nntk nntk-cg nntk-auto", [p for p in routes if p not in longest],
               lambda p: 3 if work(p) < 1e11 else 1),
        *group("routes", "nntk-cg nntk-auto", longest, lambda p: 3 if work(p) < 1e11 else 1),
        *group("race", " ".join(TRAININGS), [Problem(4096, 2, 64)], 3, data="circle", limit=9.0),
        *group("loss", " ".join(t for t in TRAININGS if t != "newton-cg"),
               [Problem(4096, 10, 442)], 3, data="diabetes", limit=8.0),
        *group("scale", "nntk-training", [Problem(10**7, 2, 100)], 1),
    ]  # fmt: skip


def quick(cases: list[Case]) -> list[Case]:
    """The same groups and methods with small problems: one case for all with the same first method and options."""
    small = {}
    for case in cases:
        key = case.group, case.methods[0], tuple(name for name, _ in case.options), dict(case.options).get("data")
        key += (getattr(case.problem, "network", None),)
        options = tuple((name, 0.2 if name == "limit" else value) for name, value in case.options)
        methods = small[key].methods if key in small else ()
        small[key] = Case(case.group, tuple(dict.fromkeys((*methods, *case.methods))), case.problem.small(), 1, options)
    return list(small.values())
