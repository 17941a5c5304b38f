"""Tables and numbers as the text has them; the numbers of captions."""

import IPython
import matplotlib.pyplot as plt
import numpy as np
import pytest

from nntk_lib.book import caption, log_ticks, number, table
from nntk_lib.exceptions import NNTKError


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.12345, "0.123"),
        (-2, "−2"),
        (1234567, "1\u202f234\u202f567"),
        (3.14e-9, "3.14·10⁻⁹"),
        (-3.14e-9, "−3.14·10⁻⁹"),
        (1e-8, "10⁻⁸"),
        (0.01, "0.01"),
        (1000.0, "1\u202f000"),
        (-23456.7, "−23\u202f500"),
        (0.0, "0"),
        (None, "–"),
        (np.nan, "–"),
        (True, "yes"),
        ("$\\beta$", "$\\beta$"),
    ],
)
def test_numbers(value, text):
    assert number(value) == text


def test_hundreds_are_not_powers():
    assert number(100.0, 2) == "100" and number(123.4, 2) == "120"


def test_table_as_text_and_as_markdown(monkeypatch, capsys):
    table({"method": ["Newton", "|x|"], "loss": [0.5, 1e-9]})
    assert capsys.readouterr().out.splitlines() == ["method  loss", "Newton   0.5", "   |x|  10⁻⁹"]
    shown = []
    monkeypatch.setattr(IPython, "get_ipython", lambda: object())
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw, metadata: shown.append((bundle, metadata)))
    table({"method": ["Newton", "|x|"], "loss": [0.5, 1e-9]})
    caption(slope=-0.25)
    assert shown[0][0]["text/markdown"].splitlines()[:2] == ["| method | loss |", "| :--- | ---: |"]
    assert "\\|x\\|" in shown[0][0]["text/markdown"]
    assert shown[1][1] == {"nntk": {"kind": "caption", "values": {"slope": "−0.25"}}}


def test_ticks_of_a_logarithmic_axis():
    fig, ax = plt.subplots()
    ax.loglog([1e-3, 10], [1, 2])
    log_ticks(ax.xaxis, [0.01, 1])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0.01", "1"]
    assert len(ax.xaxis.get_minorticklocs()) == 0
    plt.close(fig)


@pytest.mark.parametrize("columns", [{}, {"a": []}, {"a": [1], "b": [1, 2]}])
def test_columns_of_one_length(columns):
    with pytest.raises(NNTKError, match="columns of one length"):
        table(columns)
