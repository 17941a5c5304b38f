"""The points of the studies, in the order in which they are run."""

from __future__ import annotations

from itertools import product

SEEDS = (1, 2, 3, 4, 5)  # of the teacher, the samples and the start
M, N = 5000, 500  # neurons and samples of the paper

RATES = (0.1, 0.3, 1.0, 3.0)  # of gradient descent, in units of m: the last one is too large
STEPS = (10.0, 30.0, 100.0, 300.0)  # of Gauss-Newton: below 2 n all are stable without damping
FLOORS = (1e-7, 1e-12)

SCALES = (1e-3, 1e-2, 1e-1, 1.0)
PRODUCTS = (0.1, 0.3, 1.0, 3.0, 10.0)
WIDE = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)  # those of the paper

SAMPLES = (100, 200, 350, 500, 700, 1000, 1500)  # as far as the paper goes


def random_features() -> list[dict]:
    """The starts of all seeds."""
    return [{"method": "random-features", "seed": seed} for seed in SEEDS]


def newton(alpha: float, seed: int, **more) -> dict:
    """A run of Gauss-Newton."""
    return {"method": "gauss-newton", "alpha": alpha, "seed": seed, **more}


def gradient(alpha: float, seed: int, **more) -> dict:
    """A run of gradient descent."""
    return {"method": "gradient-descent", "alpha": alpha, "seed": seed, **more}


def step_points() -> list[dict]:
    """Step against floor, from s = 1e-3 and output weights of zero.

    Steps 30 and 300 to the tolerance for two floors, 100 for four; the first 300 steps with step 1, and the first 30
    for the small floor; five seeds. Step 10 for one floor, four seeds. One seed of gradient descent, 1000 steps.
    """
    grid = lambda alphas, floors, **more: [
        newton(alpha, seed, floor=floor, **more) for alpha in alphas for floor in floors for seed in SEEDS
    ]
    return [
        *random_features(),
        *grid((100.0,), FLOORS),
        *grid((1.0,), FLOORS[:1], cap=300),
        *grid((300.0, 30.0), FLOORS),
        *grid((100.0,), (1e-5, 1e-9)),
        *grid((1.0,), FLOORS[1:], cap=30),
        *grid((10.0,), FLOORS[:1])[:4],
        *(gradient(rate * M, 1, cap=1000) for rate in (0.3, 1.0, 3.0, 0.1)),
    ]


def whole_step_points() -> list[dict]:
    """What `step_points` leaves out: step 10, steps 3 and 1 to the tolerance, and capped, smaller ones and descent.

    About seven hours on two cores.
    """
    return [
        newton(10.0, SEEDS[4], floor=FLOORS[0]),
        *(newton(10.0, seed, floor=FLOORS[1]) for seed in SEEDS),
        *(newton(1.0, seed, floor=floor) for seed in SEEDS for floor in FLOORS),
        *(newton(3.0, seed, floor=floor) for seed in SEEDS for floor in FLOORS),
        *(newton(0.1, seed, floor=floor, cap=30_000) for seed in SEEDS for floor in FLOORS),
        *(newton(0.01, 1, floor=1e-7, cap=100_000),),
        *(gradient(rate * M, seed, cap=10_000) for seed in SEEDS for rate in RATES),
    ]


def collapse_points() -> list[dict]:
    """Output weights c and -c with c s fixed, for several s: no floor, step 0.3 n.

    Gradient descent beside it with the step m / (2 (c^2 + s^2)), 1000 steps, one seed.
    """
    starts = [{"method": "random-features", "c": 1.0, "seed": seed} for seed in SEEDS]
    flow = [
        newton(0.3 * N, seed, s=s, c=round(product / s, 9), floor=1e-13)
        for seed in SEEDS
        for product in PRODUCTS
        for s in SCALES
    ]
    descent = [
        gradient(float(f"{0.5 * M / (c**2 + s**2):.4g}"), 1, s=s, c=c, cap=1000)
        for product in PRODUCTS[::2]
        for s in (1e-3, 1e-1)
        for c in [round(product / s, 9)]
    ]
    return starts + flow + descent


def scale_points() -> list[dict]:
    """Test error over s with ReLU, from output weights of zero: random features, and Gauss-Newton with step 100."""
    every = [{"s": s, "seed": seed} for s in WIDE for seed in SEEDS]
    return [
        *({"method": "random-features", **start} for start in every),
        *(newton(100.0, **start) for start in every),
    ]


def whole_scale_points() -> list[dict]:
    """What `scale_points` leaves out: smaller steps, gradient descent, capped at 3000 steps, and SiLU.

    With three steps the best one can be chosen for each s, on the samples for that. About six hours on two cores.
    """
    every = [{"s": s, "seed": seed, "act": act} for act in ("relu", "silu") for s in WIDE for seed in SEEDS]
    smooth = [start for start in every if start["act"] == "silu"]
    return [
        *(newton(alpha, **start) for alpha in (30.0, 10.0) for start in every if start["act"] == "relu"),
        *({"method": "random-features", **start} for start in smooth),
        *(newton(alpha, **start) for alpha in (10.0, 100.0) for start in smooth),
        *(gradient(rate * M / max(1.0, start["s"] ** 2), **start, cap=3000) for start in every for rate in RATES[:3]),
    ]


def over_samples(seed: int, act: str, s: float, *methods: str, up_to: int = SAMPLES[-1]) -> list[dict]:
    """Runs over the number of samples: Gauss-Newton with the step n / 5, gradient descent with m / 2 and 3000 steps."""
    start = {"seed": seed, "s": s, "act": act}
    each = {
        "random-features": lambda n: {"method": "random-features", **start, "n": n},
        "gauss-newton": lambda n: newton(n / 5, **start, n=n),
        "gradient-descent": lambda n: gradient(0.5 * M, **start, n=n, cap=3000),
    }
    return [each[method](n) for n in SAMPLES if n <= up_to for method in methods]


def samples_points() -> list[dict]:
    """Test error over n: random features and Gauss-Newton, two activations and scales; descent for small n."""
    return [
        *(
            point
            for seed in SEEDS
            for act in ("relu", "silu")
            for s in (1e-3, 1.0)
            for point in over_samples(seed, act, s, "random-features", "gauss-newton")
        ),
        *over_samples(1, "relu", 1e-3, "gradient-descent", up_to=350),
    ]


def whole_samples_points() -> list[dict]:
    """What `samples_points` leaves out: gradient descent elsewhere. About four hours on two cores."""
    stored, starts = samples_points(), product(SEEDS, ("relu", "silu"), (1e-3, 1.0))
    runs = [point for start in starts for point in over_samples(*start, "gradient-descent")]
    return [point for point in runs if point not in stored]
