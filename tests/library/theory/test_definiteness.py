"""Certificates against dense matrices."""

import numpy as np
import pytest

from nntk_lib import Shallow, reference, safe_gamma
from nntk_lib.theory import certify

from ..cases import problem

pytestmark = pytest.mark.filterwarnings("ignore::nntk_lib.exceptions.AssumptionWarning")


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("gamma", [0.02, 0.2, 2.0])
def test_certificate_counts_what_the_dense_matrices_have(seed, gamma):
    net, theta, X, y = problem(m=11, n=4, d=1, seed=seed)
    damping = gamma / net.width_scale(len(theta)) * np.eye(theta.size)
    M = reference.hessian(net, theta, X, y) + damping
    J = reference.jacobian(net, theta, X)
    certificate = certify(net, theta, X, y, gamma)
    assert certificate.negative_blocks == (np.linalg.eigvalsh(M - J.T @ J / len(X)) < 0).sum()
    assert certificate.negative_hessian == (np.linalg.eigvalsh(M) < 0).sum()
    assert certificate.positive_definite == (certificate.negative_blocks == 0) == (certificate.min_eig > 0)
    assert 0 <= certificate.negative_blocks - certificate.negative_hessian <= len(X)
    assert certificate.safe_gamma == pytest.approx(safe_gamma(net, theta, X, y), rel=1e-10)


def test_certificates_see_repaired_directions():
    """Indefinite D, definite Hessian: Remark 3 of the paper has no converse."""
    net, theta, X = Shallow("tanh", bias=False), np.array([[3**0.5, 0.0]]), np.ones((1, 1))
    certificate = certify(net, theta, X, np.array([-1.5]), 1.0)
    assert (certificate.negative_blocks, certificate.negative_hessian) == (1, 0)
    assert certificate.min_eig == pytest.approx(-0.5)
