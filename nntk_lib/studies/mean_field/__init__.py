"""Gauss-Newton in the mean-field regime, at the sizes of the paper: part 4.

``python -m nntk_lib.studies NAME`` runs one of

    mean-field-step      4.3: the step against the floor of the damping
    mean-field-collapse  4.2: only the product of the two layers' scales
    mean-field-scale     4.2: the scale of the input weights
    mean-field-width     4.2: the number of neurons
    mean-field-activations
                         4.3: the step with SiLU, and from s = 1
    mean-field-samples   4.4: the number of samples
    mean-field-digits    4.4: ten outputs, handwritten digits

and, for what they leave out, mean-field-step-whole, mean-field-scale-whole and mean-field-samples-whole. Stored are
those with a file.

A student of 5000 neurons in the mean-field scaling fits 500 samples of a teacher of five, with ten inputs and a bias,
as in the released configuration of Arbel et al. (2023); Gauss-Newton has H = I and the damping max(lambda, floor). A
run is a point, `PAPER` with what the point says; it ends at a training loss of 1e-6 or at its cap. Of a run are kept,
after 1, 3, 10, 30, ... steps and at the end: the losses on the training samples, on 2,000 for choosing a step, and on
10,000 for testing, the last two also with the output weights fitted again; the weighted cosine distance; the root mean
squares of both layers; and the smallest eigenvalue of the Gram matrix.
"""

from __future__ import annotations

from ..runner import Study
from .digits import STUDY as DIGITS_STUDY
from .grids import (
    FLOORS,
    PRODUCTS,
    RATES,
    SCALES,
    SEEDS,
    WIDE,
    WIDTHS,
    activations_points,
    collapse_points,
    samples_points,
    scale_points,
    step_points,
    whole_samples_points,
    whole_scale_points,
    whole_step_points,
    width_points,
)
from .methods import Pass, gauss_newton, gradient_descent, one_pass
from .problems import PAPER, Problem, problem, setting, start
from .results import FOLDER, after, curves, ends_over_samples, last, records, runs
from .run import COLUMNS, RECORDED, State, advance, measured, steps

__all__ = [
    "COLUMNS",
    "FLOORS",
    "FOLDER",
    "PAPER",
    "PRODUCTS",
    "Pass",
    "Problem",
    "RATES",
    "RECORDED",
    "SCALES",
    "SEEDS",
    "STUDIES",
    "State",
    "WIDE",
    "WIDTHS",
    "advance",
    "after",
    "curves",
    "ends_over_samples",
    "gauss_newton",
    "gradient_descent",
    "last",
    "measured",
    "one_pass",
    "problem",
    "records",
    "runs",
    "setting",
    "start",
    "steps",
]

STEP = Study("mean-field-step", step_points(), advance)
WHOLE_STEP = Study("mean-field-step-whole", whole_step_points(), advance)
COLLAPSE = Study("mean-field-collapse", collapse_points(), advance)
SCALE = Study("mean-field-scale", scale_points(), advance)
WHOLE_SCALE = Study("mean-field-scale-whole", whole_scale_points(), advance)
ACTIVATIONS = Study("mean-field-activations", activations_points(), advance)
WIDTH = Study("mean-field-width", width_points(), advance)
SAMPLES = Study("mean-field-samples", samples_points(), advance)
WHOLE_SAMPLES = Study("mean-field-samples-whole", whole_samples_points(), advance)
STUDIES = (STEP, WHOLE_STEP, COLLAPSE, SCALE, WHOLE_SCALE, ACTIVATIONS, WIDTH, SAMPLES, WHOLE_SAMPLES, DIGITS_STUDY)
