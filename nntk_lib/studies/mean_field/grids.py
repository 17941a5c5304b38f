"""The points of the studies, in the order in which they are run."""

from __future__ import annotations

SEEDS = (1, 2, 3, 4, 5)  # of the teacher, the samples and the start
M, N = 5000, 500  # neurons and samples of the paper

RATES = (0.1, 0.3, 1.0, 3.0)  # of gradient descent, in units of m: the last one is too large
FLOORS = (1e-7, 1e-12)

SCALES = (1e-3, 1e-2, 1e-1, 1.0)
PRODUCTS = (0.1, 0.3, 1.0, 3.0, 10.0)
WIDE = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)  # those of the paper

WIDTHS = (300, 1000, 1800, 2000, 2200, 5000)  # on both sides of n = 2000

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


def over_steps(alphas: tuple[float, ...], floors: tuple[float, ...] = FLOORS[:1], **more) -> list[dict]:
    """Runs of Gauss-Newton over steps and floors, all seeds."""
    return [newton(alpha, seed, floor=floor, **more) for alpha in alphas for floor in floors for seed in SEEDS]


def descents(rates: tuple[float, ...], cap: int) -> list[dict]:
    """Runs of gradient descent over its steps, all seeds."""
    return [gradient(rate * M, seed, cap=cap) for rate in rates for seed in SEEDS]


def step_points() -> list[dict]:
    """Step against floor, from s = 1e-3 and output weights of zero.

    Steps of 1 to 300 to the tolerance, but of step 1 with the small floor the first 30; gradient descent beside it.
    """
    return [
        *random_features(),
        *over_steps((100.0, 300.0, 30.0, 10.0, 3.0), FLOORS),
        *over_steps((100.0,), (1e-5, 1e-9)),
        *over_steps((1.0,)),
        *over_steps((1.0,), FLOORS[1:], cap=30),
        *descents((1.0, 0.3, 0.1, 3.0), cap=3000),
    ]


def activations_points() -> list[dict]:
    """Over the steps elsewhere: with SiLU, and from s = 1; steps 10 and 100 are those of `scale_points`.

    SiLU with the slope parameter 1e6 is almost ReLU.
    """
    cases = [{"act": "silu", "s": 1e-3}, {"act": "relu", "s": 1.0}, {"act": "silu", "s": 1.0}]
    return [
        *({"method": "random-features", "seed": seed, **case} for case in cases for seed in SEEDS),
        *(point for case in cases for point in over_steps((300.0, 30.0), **case)),
        *over_steps((300.0, 30.0, 100.0), act="silu 1e6"),
    ]


def width_points() -> list[dict]:
    """Over the width, with SiLU, s = 1, n = 2000: the step n / 5, and 1000 steps of gradient descent with 0.3 m.

    Random features interpolate from m = n on.
    """
    every = [{"m": m, "seed": seed, "n": 2000, "act": "silu", "s": 1.0} for seed in SEEDS for m in WIDTHS]
    return [
        *({"method": "random-features", **start} for start in every),
        *(newton(400.0, **start) for start in every),
        *(gradient(RATES[1] * start["m"], **start, cap=1000) for start in every),
    ]


def whole_step_points() -> list[dict]:
    """What `step_points` leaves out: smaller steps, and descent for longer. About eight hours of one core."""
    return [
        *over_steps((1.0,), FLOORS[1:]),
        *over_steps((0.1,), cap=30_000),
        newton(0.01, 1, floor=1e-7, cap=100_000),
        *descents(RATES, cap=10_000),
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


def starts() -> list[dict]:
    """Scales with ReLU and SiLU, all seeds."""
    relu = [{"s": s, "seed": seed} for s in WIDE for seed in SEEDS]
    return relu + [{**start, "act": "silu"} for start in relu]


def slide(rate: float, start: dict) -> dict:
    """3000 steps of gradient descent, in units of m, for large s of m / s^2."""
    return gradient(float(f"{rate * M / max(1.0, start['s'] ** 2):.4g}"), **start, cap=3000)


def scale_points() -> list[dict]:
    """Test error over s from output weights of zero: two steps of Gauss-Newton, gradient descent with 0.3 m."""
    return [
        *({"method": "random-features", **start} for start in starts()),
        *(newton(alpha, **start) for alpha in (100.0, 10.0) for start in starts()),
        *(slide(RATES[1], start) for start in starts()),
    ]


def whole_scale_points() -> list[dict]:
    """What `scale_points` leaves out: other rates of gradient descent. About four hours of one core."""
    return [slide(rate, start) for rate in (RATES[0], RATES[2]) for start in starts()]


def over_samples(seed: int, act: str, s: float, *methods: str) -> list[dict]:
    """Runs over the number of samples: Gauss-Newton with the step n / 5, gradient descent with m / 2 and 3000 steps."""
    start = {"seed": seed, "s": s, "act": act}
    each = {
        "random-features": lambda n: {"method": "random-features", **start, "n": n},
        "gauss-newton": lambda n: newton(n / 5, **start, n=n),
        "gradient-descent": lambda n: gradient(0.5 * M, **start, n=n, cap=3000),
    }
    return [each[method](n) for n in SAMPLES for method in methods]


def samples_points() -> list[dict]:
    """Test error over n: random features and Gauss-Newton, two activations and scales; with ReLU gradient descent."""
    cases = [(seed, act, s) for seed in SEEDS for act in ("relu", "silu") for s in (1e-3, 1.0)]
    return [
        *(point for case in cases for point in over_samples(*case, "random-features", "gauss-newton")),
        *(point for case in cases if case[1] == "relu" for point in over_samples(*case, "gradient-descent")),
    ]


def whole_samples_points() -> list[dict]:
    """What `samples_points` leaves out: gradient descent with SiLU. About three hours of one core."""
    cases = [(seed, "silu", s) for seed in SEEDS for s in (1e-3, 1.0)]
    return [point for case in cases for point in over_samples(*case, "gradient-descent")]
