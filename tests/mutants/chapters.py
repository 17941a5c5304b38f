"""Faults that the chapters' claims notice, one edited expression each: function, old text, new text, claims."""

from __future__ import annotations

from .machine import Mutant, edited

KERNEL, FACTOR, FINISH = "limits.kernels:_kernel", "limits.filters:Tikhonov.factor", "methods.newton:_finish"
DUAL = "dual[0] + dual[1] * inner"
FAULTS = [
    # chapter 1.1
    (
        "output weights drawn two percent too large",
        (
            "networks.shallow.spec:Shallow.init",
            "rng.uniform(-C_MAX, C_MAX, size",
            "rng.uniform(-1.02 * C_MAX, 1.02 * C_MAX, size",
        ),
        ["newton/assumption-a2", "newton/equation-1"],
    ),
    (
        "output weights lost in C_J",
        ("networks.shallow.curvature:jacobian_constant", "c_max * s1", "0 * s1"),
        ["newton/equation-1-any-method", "newton/equation-1-movement", "newton/lemma-16", "newton/lemma-22"],
    ),
    (
        "second derivative of tanh off by a thousandth",
        ("networks.activations:_tanh", "d2s *= -2", "d2s *= -1.998"),
        ["newton/assumption-1"],
    ),
    (
        "pairs of samples decide about a kernel",
        ("limits.kernels:_require_regular", "if not lam[0] > len(X) * KERNEL_ERROR * lam[-1]:", "if False:"),
        ["newton/assumption-2"],
    ),
    (
        "outputs two percent too large",
        ("networks.shallow.tangent:ShallowTangent.f", "* self.scale", "* self.scale * 1.02"),
        ["arbel/equation-3", "cai/equation-12", "cayci/equation-18", "cayci/theorem-10-constants"],
    ),
    (
        "gradient steps two percent too short",
        ("methods.gauss_newton:Gradient.__call__", "rate = self.eta *", "rate = 0.98 * self.eta *"),
        ["arbel/appendix-a1", "arbel/comparison-gradient-flow"],
    ),
    (
        "skewed output weights drawn without skewness",
        ("networks.shallow.spec:Shallow.init", "< 0.2, 2.0, -0.5", "< 0.5, 1.0, -1.0"),
        ["arbel/appendix-a1-order"],
    ),
    # chapter 1.2
    (
        "second term of the limit kernel three percent too large",
        (KERNEL, DUAL, "dual[0] + 1.03 * dual[1] * inner"),
        ["newton/equation-15"],
    ),
    (
        "kernel scale lost from the width",
        ("networks.shallow.spec:Shallow.width_scale", "m ** (2 * self.beta - 1)", "1.0"),
        [
            "newton/equation-15-movement",
            "newton/figure-2a",
            "newton/theorem-10-growth",
            "newton/section-3-gauss-newton",
            "newton/section-3-batches",
        ],
    ),
    (
        "limit kernel off in the twelfth digit",
        (KERNEL, DUAL, "dual[0] + (1 + 1e-12) * dual[1] * inner"),
        ["newton/equation-15-quadrature"],
    ),
    (
        "gradient descent in the limit one percent too fast",
        ("limits.filters:Landweber.gain", "float(self.eta)", "1.01 * float(self.eta)"),
        ["newton/remark-5-gradient-descent"],
    ),
    (
        "half of the second derivative lost in C_H",
        ("networks.shallow.curvature:curvature_constant", "c_max * s2 * radius**2", "0.5 * c_max * s2 * radius**2"),
        [
            "newton/remark-5-finite-step",
            "newton/lemma-25",
            "newton/lemma-17",
            "newton/lemma-24",
            "newton/equation-20-links",
        ],
    ),
    (
        "gradient step twice as long",
        (
            "methods.gauss_newton:Gradient.__call__",
            "rate = self.eta * at.kernel_scale",
            "rate = 2 * self.eta * at.kernel_scale",
        ),
        ["newton/remark-5-long-steps"],
    ),
    (
        "tanh no longer odd",
        ("networks.activations:_tanh", "s = np.tanh(z)", "s = np.tanh(z) + 0.1"),
        ["newton/lemma-26"],
    ),
    # chapter 1.3
    (
        "gamma not scaled with the width in the damping rule",
        ("methods.damping:Gamma.__call__", "self.gamma / at.kernel_scale", "self.gamma"),
        ["newton/trust-region"],
    ),
    (
        "damping of the Gram matrix off by a thousandth",
        ("methods.gauss_newton:solve_definite", "+= a", "+= 1.001 * a"),
        ["cai/equation-11"],
    ),
    (
        "gain ratio damps more after a good step",
        ("methods.damping:GainRatio.__call__", "a / self.down", "a * self.down"),
        ["newton/equation-4-landscape"],
    ),
    (
        "residual curvature dropped from the fast Newton step",
        (
            "networks.shallow.definite:DefiniteBlocks.__init__",
            "(self.scale * a)[:, None]",
            "(0 * self.scale * a)[:, None]",
        ),
        ["newton/equation-4-whitening"],
    ),
    (
        "undamped step in parameter space too short",
        ("methods.gauss_newton:_primal", "delta[trained] = -(Vt.T @ d", "delta[trained] = -0.99 * (Vt.T @ d"),
        ["cai/equation-5", "arbel/equation-4-empirical"],
    ),
    (
        "loss and identity metric exchanged",
        ("methods.gauss_newton:GaussNewton._factor", 'self.metric == "loss"', 'self.metric != "loss"'),
        ["arbel/equation-4"],
    ),
    (
        "damping twice the smallest eigenvalue",
        ("methods.damping:Smallest.__call__", "self.alpha * _chosen", "2 * self.alpha * _chosen"),
        ["arbel/equation-5", "arbel/prop-1", "arbel/prop-5"],
    ),
    (
        "convex damping without the factor 1 - rho",
        ("methods.damping:Convex.__call__", "return self.rho, 1 - self.rho", "return self.rho, 1.0"),
        ["cayci/equation-6", "cayci/equation-7"],
    ),
    (
        "leftmost in place of the rightmost eigenvalue",
        ("reference.trust_region:trust_region", ".real.max()", ".real.min()"),
        ["newton/trust-region-solver"],
    ),
    # chapter 2.1
    (
        "gradient of the input weights a thousandth too large",
        ("networks.shallow.tangent:ShallowTangent.vjp", "ds @ aX", "1.001 * (ds @ aX)"),
        ["newton/equation-32", "newton/lemma-21"],
    ),
    (
        "output weight of the neighbour in a gradient",
        (
            "networks.shallow.tangent:ShallowTangent.vjp",
            "np.multiply(self.theta[part, :1],",
            "np.multiply(np.roll(self.theta[part, :1], 1),",
        ),
        ["newton/figure-3"],
    ),
    (
        "border of the curvature blocks two percent too large",
        ("networks.shallow.curvature:blocks_of", "(ds * a) @ X", "(1.02 * ds * a) @ X"),
        ["newton/lemma-18", "newton/lemma-24", "newton/negative-eigenvalues"],
    ),
    # chapter 2.2
    (
        "step by the form for arbitrary right-hand sides",
        (
            "methods.newton:_finish",
            "-blocks.solve_range(reduction, times(R, z))",
            "-at.structured(times(R, q), R, reduction.shift).solve(at.vjp(times(R, q)))",
        ),
        ["newton/equation-8-rounding"],
    ),
    (
        "sign of the residual curvature in products",
        ("networks.shallow.curvature:curvature_product", "a, b, out = a * scale", "a, b, out = -a * scale"),
        ["newton/equation-4"],
    ),
    (
        "predicted decrease with the wrong sign of the damping",
        ("methods.newton:_step", "-slope - a * float", "-slope + a * float"),
        ["newton/equation-9"],
    ),
    (
        "negative directions counted without those repaired",
        ("theory.definiteness:certify", "negative - repaired)", "negative)"),
        ["newton/equation-9-inertia"],
    ),
    (
        "factor sqrt n lost in the curvature level",
        ("networks.shallow.curvature:curvature_level", "np.sqrt(len(at.X)) * ", ""),
        ["newton/lemma-20"],
    ),
    # chapter 2.3
    (
        "limit Newton kernel with another gamma",
        ("limits.kernels:nntk", "A + gamma *", "A + 1.1 * gamma *"),
        ["newton/lemma-28", "newton/remark-29", "newton/theorem-4", "newton/equation-14"],
    ),
    (
        "Newton kernel with a wrong number of samples",
        (
            "methods.newton:newton_kernel",
            "reduction.capacitance / len(at.f)",
            "reduction.capacitance / (len(at.f) + 0.001)",
        ),
        ["newton/equation-12"],
    ),
    (
        "largest step size of Theorem 4 too small",
        ("limits.dynamics:max_alpha", "2 / (k[0] + k[-1])", "2 / (k[0] + 1.01 * k[-1])"),
        ["newton/equation-3"],
    ),
    (
        "limit tangent kernel a twentieth too small",
        ("limits.kernels:limit_ntk", "A /= len(X)", "A /= 1.05 * len(X)"),
        ["newton/remark-5"],
    ),
    (
        "filter of Newton that leaves a thousandth",
        (FACTOR, "(1 - self.alpha)", "(1.001 - self.alpha)"),
        ["newton/remark-6"],
    ),
    (
        "filter of Newton with another gamma",
        (FACTOR, "(lam + self.gamma)", "(lam + 1.03 * self.gamma)"),
        ["newton/tikhonov", "newton/equation-16", "newton/section-3-linear-rate"],
    ),
    (
        "Newton step half as long",
        (FINISH, "delta = -blocks", "delta = -0.5 * blocks"),
        ["newton/figure-1a", "newton/figure-1b"],
    ),
    (
        "Newton step a hundredth too long",
        (FINISH, "delta = -blocks", "delta = -1.01 * blocks"),
        ["newton/residual-gamma", "newton/gamma-order"],
    ),
    (
        "directional derivative a thousandth short",
        ("verbs:j_dot", "tangent(net, theta, X).jvp(v)", "0.999 * tangent(net, theta, X).jvp(v)"),
        ["newton/equation-13"],
    ),
    (
        "Newton kernel that does not see the parameters",
        ("methods.newton:newton_kernel", "tangent(net, theta, X)", "net.at(net.init(len(theta), 2, 0), X)"),
        ["newton/kernel-varies"],
    ),
    (
        "sum off the samples one step ahead",
        ("limits.dynamics:trajectory", "np.cumsum(powers[:-1]", "np.cumsum(powers[1:]"),
        ["newton/interpolant"],
    ),
    # chapter 2.4
    (
        "curvature level lost in the bound of an update",
        ("theory.a_priori:_recursion", "R[-1] / (gamma - eps))", "R[-1] / gamma)"),
        ["newton/lemma-9", "newton/equation-20-path"],
    ),
    # chapter 2.5
    ("drift counted as sampling", ("theory.path_error:path_error", "if k == 0:", "if True:"), ["newton/theorem-7"]),
    (
        "outputs without their scale",
        ("networks.shallow.tangent:ShallowTangent.f", "* self.scale", "* self.scale * 1.1"),
        ["newton/lemma-13", "newton/lemma-14", "newton/lemma-15"],
    ),
    (
        "a Newton kernel with another gamma",
        ("methods.newton:newton_kernel", 'positive("gamma", gamma) /', '1.05 * positive("gamma", gamma) /'),
        ["newton/lemma-30", "newton/corollary-11-one-width"],
    ),
    (
        "an interval that leaves out the scatter",
        ("theory.rates:fit_rate", "half_width = float(", "half_width = 5 * float("),
        ["newton/figure-2b"],
    ),
    (
        "a limit path with half the step size",
        ("theory.path_error:path_error", "f, g = f_next, g - alpha", "f, g = f_next, g - 0.5 * alpha"),
        ["newton/corollary-8", "newton/theorem-7-steps"],
    ),
    (
        "uniform weights that are not centred",
        ("networks.shallow.spec:Shallow.init", "rng.uniform(-C_MAX, C_MAX", "rng.uniform(-0.5 * C_MAX, C_MAX"),
        ["newton/theorem-7-symmetry"],
    ),
    # chapter 2.6
    (
        "constant 1 of the samples lost from their length",
        ("networks.shallow.curvature:_radius", "net.inputs(X)", "X"),
        ["newton/equation-20-links"],
    ),
    (
        "safe gamma a thousandth too large",
        ("methods.threshold:safe_gamma", "float(at.kernel_scale *", "float(1.001 * at.kernel_scale *"),
        ["newton/equation-20-threshold"],
    ),
    (
        "safe gamma a tenth too small",
        ("methods.threshold:safe_gamma", "float(at.kernel_scale *", "float(0.9 * at.kernel_scale *"),
        ["newton/below-threshold"],
    ),
    (
        "deepest neuron sought among output weights a hundredth too small",
        ("theory.wall:wall_constant", "(C_MAX, -C_MAX)", "(0.99 * C_MAX, -0.99 * C_MAX)"),
        ["newton/equation-20-kappa"],
    ),
    (
        "rule with twice its factor",
        ("methods.threshold:AboveThreshold.__call__", "self.tau *", "2 * self.tau *"),
        ["newton/gamma-race", "newton/gamma-rule", "newton/gamma-monotone", "newton/gamma-order"],
    ),
    (
        "ridge of 1e-10 in the limit kernel",
        ("limits.kernels:limit_ntk", "A /= len(X)", "A = A / len(X) + 1e-10 * np.eye(*A.shape)"),
        ["newton/remark-5-distance"],
    ),
    # chapter 2.7
    (
        "outputs with a twentieth of a power too much",
        ("networks.shallow.tangent:ShallowTangent.f", "* self.scale", "* self.scale * len(self.theta) ** -0.05"),
        ["newton/theorem-10-start", "newton/theorem-10-unbounded", "newton/theorem-10"],
    ),
    (
        "indefinite blocks that are let through",
        ("methods.newton:Direct.steps", 'self.indefinite == "raise"', 'self.indefinite == "never"'),
        ["newton/corollary-11"],
    ),
    # chapter 6.5
    (
        "inner products of images entry by entry",
        (
            "networks.deep_tangent:DeepTangent._add",
            "A = self.inputs[l][rows] @ other.inputs[l][columns].T",
            "A = (self.inputs[l][rows][:, None] * other.inputs[l][columns]).sum(-1)",
        ),
        ["cai/step-speed"],
    ),
    (
        "weights of the step's second pass off",
        (
            "networks.shallow.definite:DefiniteBlocks._fill",
            "u *= ds[:, None]",
            "u *= ds[:, None] ** 0.99",
        ),
        ["newton/equation-8-cost"],
    ),
    (
        "rule with a tenth more than its factor",
        (
            "methods.threshold:AboveThreshold.__call__",
            "self.tau * spectrum.threshold",
            "1.1 * self.tau * spectrum.threshold",
        ),
        ["newton/equation-8-clock"],
    ),
    (
        "smallest block eigenvalue estimated too small",
        ("networks.shallow.definite:DefiniteBlocks._smallest", "* (1 + 1e-6)", "* 0.7"),
        ["newton/equation-8-smallest"],
    ),
    (
        "first derivative lost in a curvature product",
        ("networks.shallow.curvature:curvature_product", "d2s += vc * ds", "d2s += 0 * ds"),
        ["newton/equation-8-speed"],
    ),
    (
        "single precision that is double",
        (
            "methods.newton:Direct.steps",
            'np.float64 if self.precision == "double" else np.float32',
            "np.float64",
        ),
        ["newton/equation-8-single"],
    ),
    # chapter 3.1
    (
        "a Gram-Gauss-Newton step half as long again",
        ("methods.gauss_newton:_dual", "delta = at.vjp(-z", "delta = 1.5 * at.vjp(-z"),
        [
            "cai/equation-9",
            "cai/equation-34",
            "cai/milder-widths",
            "cai/theorem-1",
            "cai/theorem-1-labels",
            "cai/theorem-1-ours",
        ],
    ),
    (
        "limit kernel of the hidden layer three percent too large",
        (KERNEL, DUAL, "dual[0] + 1.03 * dual[1] * inner"),
        ["cai/equation-13"],
    ),
    (
        "products J v two percent too large",
        ("networks.shallow.tangent:ShallowTangent.jvp", "* self.scale", "* self.scale * 1.02"),
        ["cai/equation-17"],
    ),
    (
        "Gram matrix five percent too large",
        ("networks.shallow.tangent:ShallowTangent._gram", "outer *= self.scale**2", "outer *= 1.05 * self.scale**2"),
        [
            "arbel/equation-16",
            "arbel/lemma-2",
            "arbel/lemma-3",
            "cai/equation-21",
            "cai/lemma-2c",
            "cai/lemma-3",
        ],
    ),
    (
        "weights at the start five percent too large",
        (
            "networks.shallow.spec:Shallow.init",
            "self.weight_std * rng.standard_normal",
            "1.05 * self.weight_std * rng.standard_normal",
        ),
        ["cai/lemma-2a", "cai/lemma-4a"],
    ),
    (
        "outputs five percent too large",
        ("networks.shallow.tangent:ShallowTangent.f", "* self.scale", "* self.scale * 1.05"),
        ["cai/lemma-2b"],
    ),
    (
        "products with the Jacobian's transpose five percent too large",
        ("networks.shallow.tangent:ShallowTangent.vjp", "* self.scale", "* self.scale * 1.05"),
        ["arbel/equation-15", "arbel/prop-4", "cai/equation-35", "cai/lemma-4b", "cai/lemma-5"],
    ),
    (
        "second derivative ten percent too large",
        ("networks.shallow.tangent:ShallowTangent.second", "* self.scale", "* self.scale * 1.1"),
        ["arbel/equation-17", "cai/theorem-1-limit"],
    ),
    # chapter 3.2
    (
        "a batch step a fifth too long",
        ("methods.gauss_newton:_dual", "delta = at.vjp(-z", "delta = 1.2 * at.vjp(-z"),
        [
            "cai/equation-10",
            "cai/equation-18",
            "cai/lemma-6a",
            "cai/lemma-6b",
            "cai/lemma-6c",
            "cai/volume-sampling",
            "cai/any-batch-size",
            "cai/lemma-8",
            "cai/equation-52",
        ],
    ),
    (
        "a batch step a twentieth too long",
        ("methods.gauss_newton:_dual", "delta = at.vjp(-z", "delta = 1.05 * at.vjp(-z"),
        ["cai/no-small-step"],
    ),
    (
        "fixed batches that are not fixed",
        (
            "training:Batches.__call__",
            'np.arange(n) if self.order == "cyclic" else rng.permutation(n)',
            "rng.permutation(n)",
        ),
        [
            "cai/assumption-2",
            "cai/equation-37",
            "cai/energy-norm",
            "cai/over-relaxation",
            "cai/equation-15",
            "cai/theorem-2",
            "cai/theorem-2-ours",
            "cai/lemma-7",
            "cai/fixed-batches",
        ],
    ),
    (
        "inner products of samples two hundredths too large",
        (
            "networks.shallow.tangent:ShallowTangent._gram",
            "inner *= self.inputs @ self.inputs.T",
            "inner *= self.inputs @ self.inputs.T + 0.02",
        ),
        ["cai/two-batches", "cai/lemma-9a", "cai/lemma-9b"],
    ),
    (
        "momentum five percent too large",
        (
            "methods.spring:Spring.__call__",
            "kept = self.momentum * last.first",
            "kept = 1.05 * self.momentum * last.first",
        ),
        ["cai/spring"],
    ),
    # chapter 3.3
    (
        "ghost products of one pair of places",
        ("networks.conv.gram:gram_cost", "places**2 // 2", "places // 2"),
        ["cai/section-3-3"],
    ),
    (
        "a Gram matrix in eighty copies",
        (
            "networks.deep_tangent:DeepTangent.gram",
            "return self._gram",
            "return np.tile(self._gram, (80, 1))[: len(self._gram)]",
        ),
        ["cai/same-cost"],
    ),
    (
        "a ratio upside down",
        (
            "studies.images.results:ratio",
            "errors(name, *one, part, epoch) / errors(name, *other",
            "1 / errors(name, *one, part, epoch) * errors(name, *other",
        ),
        ["cai/figure-1-epochs", "cai/figure-2a", "cai/figure-3", "cai/figure-4", "cai/kfac", "cai/mnist"],
    ),
    (
        "a Gram matrix that costs nothing",
        ("studies.images.cost:operations", "sum(gram for *_, gram in layers)", "0"),
        ["cai/figure-1-time"],
    ),
    (
        "a step of one read at a half",
        ("studies.images.results:steps", '"numbers": [p, q]', '"numbers": [p if p != 1 else 0.5, q]'),
        ["cai/figure-2b", "cai/figure-2c", "cai/unit-step", "cai/floor"],
    ),
    (
        "batch normalization by single images",
        ("networks.conv.layers:Norm.mean", "return x.mean(0, keepdims=True)", "return x"),
        ["cai/batch-normalization"],
    ),
    (
        "the factor of softmax's Hessian transposed",
        (
            "losses.cross_entropy:CrossEntropy.factor",
            "-np.exp(log_p)[:, :, None] * root[:, None, :]",
            "-np.exp(log_p)[:, None, :] * root[:, :, None]",
        ),
        ["cai/multi-output"],
    ),
    (
        "products of signals five percent too large",
        ("networks.deep_tangent:_hadamard", "return product", "return 1.05 * product"),
        ["cai/gram-layers"],
    ),
    (
        "errors at the start in place of the end",
        ("studies.images.results:errors", "[:, epoch,", "[:, 0,"),
        ["cai/group-normalization"],
    ),
    # chapter 4.1
    (
        "neurons drawn in fours",
        (
            "networks.shallow.spec:Shallow.init",
            "theta = np.hstack([c, self.weight_std * rng.standard_normal((drawn, p - 1))])",
            "theta = np.hstack([c, self.weight_std * rng.standard_normal((drawn, p - 1))])[np.arange(drawn) // 4]",
        ),
        ["arbel/assumption-a", "arbel/blow-up-frequency"],
    ),
    (
        "an undamped step two percent too short",
        ("methods.gauss_newton:_dual", "delta = at.vjp(-z", "delta = 0.98 * at.vjp(-z"),
        [
            "arbel/lemma-5",
            "arbel/prop-6",
            "arbel/prop-8",
            "arbel/prop-9",
            "arbel/remark-1",
            "arbel/remark-1-bounded",
            "arbel/remark-1-one-sample",
            "arbel/undamped-hessian",
            "arbel/undamped-rate",
        ],
    ),
    (
        "features two percent too large",
        ("features:features", "@ at.theta[:, 1:].T) * at.scale", "@ at.theta[:, 1:].T) * at.scale * 1.02"),
        ["arbel/prop-2"],
    ),
    (
        "cross terms lost in C_R",
        (
            "theory.jacobian_ball:jacobian_change",
            "[[0.0, s1 * a], [s1 * np.sqrt(lengths.sum()), largest",
            "[[0.0, 0.0], [0.0, largest",
        ),
        ["arbel/prop-3", "arbel/prop-3-ours"],
    ),
    (
        "output weights lost in a point's C_R",
        ("theory.jacobian_ball:jacobian_change", "ds[:, j], c * d2s[:, j]", "ds[:, j], 0 * d2s[:, j]"),
        ["arbel/remark-2"],
    ),
    (
        "a ridge in the refit",
        ("features:refit", "(used + ridge / used)", "(used + 1e-9 / used)"),
        ["arbel/fine-tuning", "arbel/refit"],
    ),
    # chapter 4.1, measured
    (
        "a point's C_R a tenth too small",
        (
            "theory.jacobian_ball:jacobian_change",
            "at.scale * np.sqrt(np.linalg.eigvalsh(squares)",
            "0.9 * at.scale * np.sqrt(np.linalg.eigvalsh(squares)",
        ),
        ["arbel/equation-21", "arbel/prop-7"],
    ),
    (
        "radius lost in C_R",
        ("theory.jacobian_ball:jacobian_change", "np.abs(c).max() + positive", "np.abs(c).max() + 0 * positive"),
        ["arbel/remark-2-ours"],
    ),
    (
        "projections of velocities a tenth too short",
        ("geometry.space:TangentSpace.horizontal", "(self.V @ (", "0.9 * (self.V @ ("),
        ["arbel/lemma-1"],
    ),
    (
        "cross kernel without its output weights",
        ("networks.shallow.tangent:ShallowTangent.cross", "outer *= self.outer", "outer *= 0"),
        ["arbel/lemma-4"],
    ),
    # chapter 4.2
    (
        "a refit a tenth too small",
        ("features:refit", "V = right[:, :rank] @", "V = 0.9 * right[:, :rank] @"),
        ["arbel/equation-8"],
    ),
    (
        "neurons weighted by their norms",
        ("features:weighted_cosine_distance", "p = (norms / norms.max()) ** 2", "p = norms / norms.max()"),
        ["arbel/equation-9"],
    ),
    (
        "mean-field runs read at their first row",
        ("studies.mean_field.results:last", "[column][-1]", "[column][0]"),
        [
            "arbel/damping-floor",
            "arbel/digits-mnist",
            "arbel/figure-1-left",
            "arbel/figure-1-right",
            "arbel/figure-2-right",
            "arbel/figure-3-left",
            "arbel/figure-3-right",
            "arbel/figure-4-left",
            "arbel/figure-6",
            "arbel/figure-7",
            "arbel/scale-collapse",
            "arbel/small-step-final",
        ],
    ),
    (
        "hidden weights of a study drawn two percent too large",
        ("studies.mean_field.problems:start", 'W = given["s"] *', 'W = 1.02 * given["s"] *'),
        ["arbel/scale-first-step"],
    ),
    (
        "curves of a study read backwards",
        ("studies.mean_field.results:curves", "np.array(column, float)", "np.array(column, float)[::-1]"),
        ["arbel/figure-4-right", "arbel/wcd-indicator"],
    ),
    # chapter 4.2, measured
    (
        "a study's Gauss-Newton step a tenth as long",
        ("studies.mean_field.methods:gauss_newton", "return -alpha * at.vjp", "return -0.1 * alpha * at.vjp"),
        ["arbel/faster", "arbel/scale-shares"],
    ),
    # chapter 4.3
    (
        "mean-field runs read at their end, whatever the step",
        ("studies.mean_field.results:after", "at[0] if len(at) else -1", "-1"),
        ["arbel/features-per-step", "arbel/figure-2-left", "arbel/stopping-rule"],
    ),
    (
        "refitted and plain losses of a study exchanged",
        (
            "studies.mean_field.results:curves",
            "zip(COLUMNS, columns, strict=True)",
            "zip([COLUMNS[i] for i in (0, 1, 4, 5, 2, 3, 6, 7, 8, 9)], columns, strict=True)",
        ),
        ["arbel/few-steps-refit"],
    ),
    (
        "the floor of the damping lost",
        ("methods.damping:Smallest.__call__", "0.0, self.floor)", "0.0, 0.0)"),
        ["arbel/step-units"],
    ),
    (
        "derivative of ReLU lost",
        ("networks.activations:_relu", "yield on", "yield 0 * on"),
        ["arbel/growing-step", "arbel/size-and-shape"],
    ),
    (
        "derivative of SiLU lost",
        ("networks.activations:_SiLU.__call__", "yield g + z * dg", "yield 0 * g"),
        ["arbel/figure-6"],
    ),
    # chapter 5.1
    (
        "a step in sample space three percent too short",
        ("methods.gauss_newton:_dual", "delta = at.vjp(-z", "delta = 0.97 * at.vjp(-z"),
        [
            "cayci/corollary-14",
            "cayci/lemma-2",
            "cayci/lemma-3",
            "cayci/not-time-rescaling",
            "cayci/remark-6",
            "cayci/theorem-5",
            "cayci/theorem-7",
        ],
    ),
    (
        "adaptive damping from the largest eigenvalue",
        ("methods.damping:_chosen", "spectrum.kernel).smallest", "spectrum.kernel).largest"),
        [
            "cayci/corollary-9",
            "cayci/equation-14",
            "cayci/figure-2",
            "cayci/figure-2-frozen-kernel",
            "cayci/remark-8",
        ],
    ),
    (
        "Gram matrix of deep networks three percent too large",
        ("networks.deep_tangent:DeepTangent._gram", "self._product(self)", "1.03 * self._product(self)"),
        ["cayci/centring", "cayci/depth-advantage", "cayci/movement"],
    ),
    (
        "Gram matrix of the inner weights two percent too large",
        (
            "networks.shallow.tangent:ShallowTangent._gram",
            "inner *= self.inputs @ self.inputs.T",
            "inner *= 1.02 * (self.inputs @ self.inputs.T)",
        ),
        ["cayci/equation-9", "cayci/movement-steps", "cayci/threshold"],
    ),
    # chapter 5.1, measured
    (
        "outputs three percent too small",
        ("networks.shallow.tangent:ShallowTangent.f", "* self.scale", "* self.scale * 0.97"),
        ["cayci/lemma-4"],
    ),
    (
        "gradients of the outputs five percent too large",
        (
            "networks.shallow.tangent:ShallowTangent.vjp",
            'self._weights("a", a) * self.scale',
            'self._weights("a", a) * self.scale * 1.05',
        ),
        ["cayci/equation-8"],
    ),
    (
        "the wrong half of the limit kernel",
        (KERNEL, "* layers.reshape(shape), bound", "* layers[::-1].reshape(shape), bound"),
        ["cayci/remark-1"],
    ),
    # chapter 5.2, and measured
    (
        "half the smallest eigenvalue in the convex damping",
        ("methods.damping:Convex.__call__", "x = self.r * (_chosen", "x = 0.5 * self.r * (_chosen"),
        [
            "cayci/equation-16",
            "cayci/equation-17",
            "cayci/prop-12-area",
            "cayci/tail-rates",
            "cayci/theorem-10-local",
            "cayci/theorem-10-switch",
        ],
    ),
    (
        "weighted steps three percent too short",
        ("methods.gauss_newton:_dual", "-times(R, z)", "-0.97 * times(R, z)"),
        ["cayci/theorem-10-global", "cayci/theorem-10-logistic"],
    ),
    (
        "weighted steps a quarter too long",
        ("methods.gauss_newton:_dual", "-times(R, z)", "-1.25 * times(R, z)"),
        ["cayci/theorem-10-cross-entropy"],
    ),
    (
        "half of the damping in sample space",
        ("methods.gauss_newton:solve_definite", "len(M) + 1] += a", "len(M) + 1] += 0.5 * a"),
        ["cayci/theorem-10-way"],
    ),
    (
        "a transposed Jacobian that leaves the range",
        ("networks.shallow.tangent:ShallowTangent.vjp", "ds @ aX", "(ds * np.sqrt(ds)) @ aX"),
        ["cayci/prop-12", "cayci/prop-12-second-order", "cayci/prop-12-test-error"],
    ),
    (
        "Adam with one mean square for all parameters",
        ("methods.baselines:Adam.__call__", "* g * g", "* (g * g).mean()"),
        ["cayci/remark-11"],
    ),
    # chapter 5.3, and measured
    (
        "unit gain of deep networks lost",
        ("networks.deep:Deep.constant", "1 / second_moment(self.act)", "1.0"),
        ["cayci/lemma-13", "cayci/lemma-13-length", "cayci/lemma-13-width"],
    ),
    (
        "slopes lost in the limit kernel of deep networks",
        ("limits.depth:deep_limit_ntk", "else T * D + S", "else T + S"),
        ["cayci/depth-border", "cayci/depth-condition", "cayci/depth-width"],
    ),
    (
        "gradients of deep networks a third too short",
        (
            "networks.deep_tangent:DeepTangent.vjp",
            "self._pull(self.net.scale * a)",
            "self._pull(self.net.scale * a / 1.5)",
        ),
        ["cayci/depth-moving"],
    ),
    # chapter 5.4
    (
        "slope of tanh a fifth too steep",
        ("networks.activations:_tanh", "np.subtract(1, ds, out=ds)", "np.subtract(1, 1.2 * ds, out=ds)"),
        ["cayci/equation-20", "cayci/lemma-15", "cayci/lemma-17"],
    ),
    (
        "tangent spaces without their weakest direction",
        (
            "geometry.space:tangent_space",
            "r = int((relative > rtol).sum())",
            "r = max(1, int((relative > rtol).sum()) - 1)",
        ),
        ["cayci/prop-18"],
    ),
    (
        "projections that do nothing",
        ("geometry.space:TangentSpace.project", "u.copy() if self.is_open else", "u.copy() if len(self.Q) else"),
        ["cayci/singular-kernel"],
    ),
    (
        "a damping of 0.3 where none is asked for",
        ("methods.damping:Constant.__call__", "return self.a, self.b", "return self.a or 0.3, self.b"),
        ["cayci/figure-1", "cayci/reparametrization", "cayci/reparametrization-damping"],
    ),
    (
        "velocities lifted with squared singular values",
        ("geometry.space:TangentSpace.lift", "(c / self.s)", "(c / self.s**2)"),
        ["cayci/figure-1-straight"],
    ),
    (
        "geodesics that bend five percent too little",
        ("geometry.space:TangentSpace.acceleration", "return -self.pull(", "return -0.95 * self.pull("),
        ["cayci/reparametrization-exponential"],
    ),
    # chapter 5.5
    (
        "geodesics that bend to the wrong side",
        ("geometry.space:TangentSpace.acceleration", "return -self.pull(", "return self.pull("),
        ["cayci/lemma-21", "cayci/reparametrization-steps"],
    ),
    (
        "curvature's part of the Hessian five percent too large",
        ("geometry.space:TangentSpace.hessian", "bent = float(np.vdot(", "bent = 1.05 * float(np.vdot("),
        [
            "cayci/asymptotic-rate",
            "cayci/not-monotone",
            "cayci/remark-23",
            "cayci/theorem-22a",
            "cayci/theorem-22c",
            "cayci/theorem-22d",
            "cayci/threshold-lost",
            "cayci/unit-step",
        ],
    ),
    (
        "curvature five percent too large",
        ("geometry.space:TangentSpace.curvature", "return self.normal(", "return 1.05 * self.normal("),
        [
            "cayci/curvature-orders",
            "cayci/curvature-width",
            "cayci/known-surface",
            "cayci/lemma-28",
            "cayci/remark-27-ours",
            "cayci/three-lengths",
        ],
    ),
    (
        "gradients on the surface a tenth too short",
        ("geometry.space:TangentSpace.gradient", "return self.project(", "return 0.9 * self.project("),
        ["cayci/lemma-16", "cayci/lemma-24", "cayci/prop-20"],
    ),
    (
        "sides of a shortest path a tenth too long",
        ("geometry.paths:shortest_path", "(K * np.diff(", "(1.1 * K * np.diff("),
        ["cayci/theorem-22b"],
    ),
    (
        "best function given up too early",
        ("geometry.best:best_function", "if rest <= tol:", "if rest <= 1e8 * tol:"),
        ["cayci/assumption-3"],
    ),
    (
        "singular values of J five percent too large",
        ("geometry.space:tangent_space", "TangentSpace(at, Q[:, :r], s[:r]", "TangentSpace(at, Q[:, :r], 1.05 * s[:r]"),
        ["cayci/remark-27", "cayci/theorem-25"],
    ),
    (
        "an undamped step in the parameters two percent too short",
        ("methods.gauss_newton:_primal", "delta[trained] = -(", "delta[trained] = -0.98 * ("),
        ["cayci/figure-3", "cayci/fold", "cayci/remark-26", "cayci/theorem-25-ours"],
    ),
    (
        "a basis of the tangent space a hundredth too long",
        ("geometry.space:tangent_space", "TangentSpace(at, Q[:, :r]", "TangentSpace(at, 1.01 * Q[:, :r]"),
        ["cayci/claim-1", "cayci/lemma-19", "cayci/projector-rounding"],
    ),
    # chapter 4.4
    (
        "exponents in the wrong logarithm",
        ("theory.rates:fit_rate", "x, logs = np.log(m)", "x, logs = np.log10(m)"),
        ["arbel/figure-5", "arbel/samples-bend", "arbel/figure-5-descent"],
    ),
    (
        "Gram matrix without the hidden layers",
        ("networks.deep_tangent:DeepTangent._add", "slab += _hadamard", "slab += 0 * _hadamard"),
        ["arbel/kernel-blocks", "arbel/kernel-blocks-later"],
    ),
    (
        "output weights of the digits not zero at the start",
        ("studies.mean_field.digits:begun", "np.zeros_like(net.init(d, rng=0))", "0.3 * net.init(d, rng=0)"),
        ["arbel/first-moves"],
    ),
    (
        "steps on digits a tenth as long",
        ("studies.mean_field.digits:steps", 'told["alpha"] * delta', '0.1 * told["alpha"] * delta'),
        ["arbel/figure-8", "arbel/figure-8-gd"],
    ),
    (
        "a floor of 1e-7 whatever is asked for",
        ("methods.damping:Smallest.__call__", "else 0.0, self.floor)", "else 0.0, 1e-7)"),
        ["arbel/digits-floor", "arbel/first-moves-sizes"],
    ),
    # chapter 4.4, measured
    (
        "a study's Gauss-Newton steps all of one length",
        ("studies.mean_field.methods:gauss_newton", "return -alpha * at.vjp", "return -20.0 * at.vjp"),
        ["arbel/samples-settings"],
    ),
    (
        "a teacher of digits trained twenty times as long",
        ("studies.mean_field.digits:labelled", "Adam(3e-3), 10,", "Adam(3e-3), 200,"),
        ["arbel/soft-labels"],
    ),
]
MUTANTS = {name: Mutant(target, edited(old, new), "", tuple(claims)) for name, (target, old, new), claims in FAULTS}
