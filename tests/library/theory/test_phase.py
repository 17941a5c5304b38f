"""Phase diagrams against single steps."""

import numpy as np
import pytest

from nntk_lib import Shallow, loss, newton_step, residual, safe_gamma
from nntk_lib.exceptions import ParameterError
from nntk_lib.methods import Direct
from nntk_lib.theory import (
    phase_diagram,
)

pytestmark = pytest.mark.filterwarnings("ignore::nntk_lib.exceptions.AssumptionWarning")


def test_phase_diagram_is_many_single_steps():
    net, X = Shallow("tanh"), np.linspace(-1, 1, 6)[:, None]
    y, widths, gammas = np.sin(4 * X[:, 0]), [20, 300], [0.01, 0.4, 5.0]
    diagram = phase_diagram(net, X, y, widths, gammas, seed=7)
    for i, m in enumerate(widths):
        theta = net.init(m, 1, np.random.default_rng([7, m]))
        before = loss(residual(net, theta, X, y))
        assert diagram.threshold[i] == safe_gamma(net, theta, X, y)
        assert diagram.bound[i] == safe_gamma(net, theta, X, y, "bound")
        for j, gamma in enumerate(gammas):
            step = newton_step(net, theta, X, y, gamma, Direct(indefinite="solve"))
            after = loss(residual(net, theta + step.delta, X, y))
            found = diagram.min_eig[i, j], diagram.slope[i, j], diagram.loss_ratio[i, j]
            assert found == pytest.approx((step.min_eig, step.slope / (2 * before), after / before), rel=1e-9)
            assert (diagram.min_eig[i, j] > 0) == (gamma > diagram.threshold[i])
    definite = diagram.min_eig > 0
    assert definite.any() and not definite.all()
    assert ((diagram.slope > -1) & (diagram.slope < 0))[definite].all()
    with pytest.raises(ParameterError, match=r"widths\[0\] = 10.5 must be an integer"):
        phase_diagram(net, X, y, [10.5], gammas)


def test_phase_diagram_shows_progress(capsys):
    phase_diagram(Shallow("tanh"), np.ones((1, 1)), np.ones(1), [4], [1.0], progress=True)
    assert "phase diagram" in capsys.readouterr().err


def test_where_nothing_is_left_to_fit_the_step_stands_still():
    net = Shallow("sine", bias=False)
    diagram = phase_diagram(net, np.zeros((1, 1)), np.zeros(1), [10], [1.0])
    assert diagram.slope.tolist() == [[0.0]] and diagram.loss_ratio.tolist() == [[1.0]]
