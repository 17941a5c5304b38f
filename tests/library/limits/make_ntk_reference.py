"""Write ntk_reference.json: dual activations to 30 digits, computed in 40-digit arithmetic with mpmath.

    python tests/library/make_ntk_reference.py

For two Gaussians of variances q1, q2 and angle theta it holds E[s(u) s(v)] and E[s'(u) s'(v)]. Tanh: two-dimensional
trapezoidal rule with an error below 1e-34; tanh(a + b) from tanh a and tanh b makes a node cost a few multiplications.
Sigmoid: s(z) = (1 + tanh(z/2))/2 reduces it to tanh at a quarter of the variances. Erf: closed form.
"""

import json
import sys
from pathlib import Path

import mpmath as mp

mp.mp.dps = 40
VARIANCES = [("1", "1"), ("0.25", "4"), ("4", "4"), ("16", "9")]
ANGLES = ["1e-6", "1e-3", "0.3", "1.5707963267948966", "2.8", "3.1414926535897931"]


def tanh_dual(q1, q2, theta):
    """E[tanh u tanh v] and E[tanh' u tanh' v]."""
    a = mp.pi / 2 / mp.sqrt(max(q1, q2))
    h = 2 * mp.pi * a / (80 + a * a / 2)  # error below exp(-80) = 2e-35
    count = int(mp.mpf("12.9") / h) + 1  # exp(-12.9^2 / 2) = 7e-37
    z = [k * h for k in range(-count, count + 1)]
    w = [mp.exp(-x * x / 2) for x in z]
    left = [mp.tanh(mp.sqrt(q1) * x) for x in z]
    along = [mp.tanh(mp.sqrt(q2) * mp.cos(theta) * x) for x in z]
    across = [mp.tanh(mp.sqrt(q2) * mp.sin(theta) * x) for x in z]
    e0 = e1 = mp.mpf(0)
    for wi, li, ai in zip(w, left, along, strict=True):
        s0 = s1 = mp.mpf(0)
        for wj, bj in zip(w, across, strict=True):
            t = (ai + bj) / (1 + ai * bj)
            s0 += wj * t
            s1 += wj * (1 - t * t)
        e0 += wi * li * s0
        e1 += wi * (1 - li * li) * s1
    scale = h * h / (2 * mp.pi)
    return e0 * scale, e1 * scale


def dual(name, q1, q2, theta):
    """The two expectations for one of tanh, sigmoid, erf; arguments are strings or mpf."""
    q1, q2, theta = mp.mpf(q1), mp.mpf(q2), mp.mpf(theta)
    if name == "tanh":
        return tanh_dual(q1, q2, theta)
    if name == "sigmoid":
        e0, e1 = tanh_dual(q1 / 4, q2 / 4, theta)
        return (1 + e0) / 4, e1 / 16
    c = mp.sqrt(q1 * q2) * mp.cos(theta)
    det = (1 + 2 * q1) * (1 + 2 * q2) - 4 * c * c
    return 2 / mp.pi * mp.asin(2 * c / mp.sqrt((1 + 2 * q1) * (1 + 2 * q2))), 4 / mp.pi / mp.sqrt(det)


if __name__ == "__main__":
    rows = []
    for name in ("tanh", "sigmoid", "erf"):
        for q1, q2 in VARIANCES:
            for theta in ANGLES:
                e0, e1 = dual(name, q1, q2, theta)
                rows.append([name, q1, q2, theta, mp.nstr(e0, 30), mp.nstr(e1, 30)])
                print(*rows[-1], file=sys.stderr)
    text = ",\n".join("  " + json.dumps(row) for row in rows)
    header = '"columns": ["activation", "q1", "q2", "theta", "E[s s]", "E[s\' s\']"]'
    Path(__file__).with_name("ntk_reference.json").write_text(f'{{{header},\n"rows": [\n{text}\n]}}\n')
