"""Faults of the Hessian, the step, the kernels and the constants."""

from __future__ import annotations

from dataclasses import replace

from .machine import Mutant, edited, given, result

BLOCKS, FAST = "networks.shallow.curvature:blocks_of", "networks.shallow.definite:DefiniteBlocks.__init__"
HESSIAN = "methods/test_newton.py::test_hessian_by_differences_of_the_complex_step_gradient"
TWIN = "networks/test_definite.py::test_reduction_and_solution_are_those_of_the_twin"
MUTANTS = {
    "residual curvature dropped": Mutant(BLOCKS, result(lambda S: 0 * S), HESSIAN, ("newton/equation-36",)),
    "sign of the residual curvature flipped": Mutant(
        BLOCKS, result(lambda S: -S), HESSIAN, ("newton/equation-36", "cai/equation-8")
    ),
    "factor n in the residual curvature": Mutant(
        BLOCKS, given(a=lambda a, **_: len(a) * a), HESSIAN, ("newton/equation-36",)
    ),
    "first in place of the second derivative": Mutant(
        BLOCKS, given(rows=lambda rows, **_: (rows[0], rows[1], rows[1])), HESSIAN, ("newton/equation-38",)
    ),
    "factor n lost in the low-rank part": Mutant(
        "losses.separable:Square.factor",
        result(lambda Rq: (Rq[0] * len(Rq[0]) ** 0.5, Rq[1] / len(Rq[0]) ** 0.5)),
        HESSIAN,
        ("newton/equation-36",),
    ),
    "residual curvature dropped, fast": Mutant(FAST, given(a=lambda a, **_: 0 * a), TWIN, ("newton/equation-8",)),
    "sign of the residual curvature flipped, fast": Mutant(
        FAST, given(a=lambda a, **_: -a), TWIN, ("newton/equation-8",)
    ),
    "factor 1/n twice in the residual curvature, fast": Mutant(
        FAST, given(a=lambda a, **_: a / len(a)), TWIN, ("newton/equation-8",)
    ),
    "first in place of the second derivative, fast": Mutant(
        "networks.shallow.definite:DefiniteBlocks._rows",
        result(lambda rows: (rows[0], rows[1], rows[1].copy())),
        TWIN,
        ("newton/equation-8",),
    ),
    "gamma not scaled with the width": Mutant(
        "networks.shallow.spec:Shallow.width_scale",
        result(lambda scale: 1.0),
        "networks/test_shallow.py::test_empirical_kernel_carries_its_scaling",
        ("newton/equation-50", "newton/trust-region-branches", "arbel/appendix-a2"),
    ),
    "factor n lost in the limit kernel": Mutant(
        "limits.kernels:limit_ntk",
        edited("A /= len(X)", "A /= 1"),
        "limits/test_kernels.py::test_empirical_kernel_converges_with_slope_minus_one_half",
        ("newton/lemma-27", "newton/remark-5-samples"),
    ),
    "input weights lost in the limit kernel": Mutant(
        "limits.kernels:_kernel",
        edited("dual[0] + dual[1] * inner", "dual[0] + 0 * inner"),
        "limits/test_kernels.py::test_empirical_kernel_converges_with_slope_minus_one_half",
        ("newton/remark-5-spectrum", "newton/assumption-b1", "newton/equation-8-kernel"),
    ),
    "input weights lost in the Gram matrix": Mutant(
        "networks.shallow.tangent:ShallowTangent._gram",
        edited("if self.inner:", "if False:"),
        "methods/test_newton.py::test_gauss_newton_in_sample_space_is_parameter_space",
        ("cai/lemma-1", "arbel/equation-11"),
    ),
    "first derivative lost in C_H": Mutant(
        "networks.shallow.curvature:curvature_constant",
        edited("return s1 * radius + ", "return "),
        "methods/test_threshold.py::test_constants_are_attained",
        ("newton/lemma-19",),
    ),
    "output weights taken for fixed": Mutant(
        "theory.a_priori:_recursion",
        edited("c.append(c[-1] + alpha * update[-1])", "c.append(c[-1])"),
        "theory/test_a_priori.py::test_a_priori_bounds_hold_along_the_path",
        ("newton/lemma-9",),
    ),
    "safe gamma too small": Mutant(
        "methods.threshold:safe_gamma",
        result(lambda gamma: 0.99 * gamma),
        "methods/test_threshold.py::test_safe_gamma_and_constants",
        ("newton/equation-20",),
    ),
    "repaired directions counted": Mutant(
        "theory.definiteness:certify",
        result(lambda found: replace(found, negative_hessian=found.negative_blocks)),
        "theory/test_definiteness.py::test_certificates_see_repaired_directions",
        ("newton/remark-3",),
    ),
    "sign of the drift flipped": Mutant(
        "theory.path_error:path_error",
        result(lambda error: replace(error, drift=-error.drift)),
        "theory/test_path_error.py::test_path_error_is_the_literal_decomposition",
        ("newton/theorem-7",),
    ),
    "output weights not centred": Mutant(
        "networks.shallow.spec:Shallow.init",
        edited("rng.uniform(-C_MAX, C_MAX, ", "rng.uniform(0, C_MAX, "),
        "networks/test_shallow.py::test_initialization_satisfies_a2_and_repeats",
        ("newton/lemma-12",),
    ),
}
