"""The ledger: a claim is a measured number against a bound, shown, recorded, and raised when it fails."""

import json
import math
from types import SimpleNamespace

import IPython
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nntk_lib.book import ledger
from nntk_lib.book.ledger import check, check_rate, load_claims, load_records
from nntk_lib.exceptions import ClaimError, NNTKError

POSITIVE = st.floats(1e-6, 1e6)


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Every test is a process of its own."""
    monkeypatch.setattr(ledger, "_checked", {})
    monkeypatch.delenv("NNTK_LEDGER", raising=False)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NNTK_LEDGER", str(tmp_path / "claims"))
    return tmp_path / "claims"


def test_line_shows_measured_bound_room_and_verdict(capsys):
    check("newton/theorem-4", 0.312, "<=", 0.5)
    assert capsys.readouterr().out == "newton/theorem-4  measured 0.312 <= 0.5  62 % of its room used  ok\n"
    check("newton/theorem-4", 0.31, "=", 0.3, within=0.02, resolution=0.1)
    assert capsys.readouterr().out == "newton/theorem-4  measured 0.31 = 0.3 ± 0.02  50 % of its room used  ok\n"
    check("newton/theorem-4", -1.0, "<", 1.0)
    assert capsys.readouterr().out == "newton/theorem-4  measured -1 < 1  ok\n"


@pytest.mark.parametrize(
    ("measured", "relation", "bound", "used"),
    [
        (0.25, "<=", 1.0, 0.25),
        (1.0, "<=", 1.0, 1.0),
        (0.0, "<=", 1e-9, 0.0),
        (-2.0, "<", 1.0, None),
        (-2.0, "<=", -1.0, 0.5),
        (3.0, ">=", 1.5, 0.5),
        (1.0, ">", -1.0, None),
        (2.0, "in", (1.5, 2.5), 0.0),
        (2.4, "in", (1.5, 2.5), 0.8),
        (1.5, "in", (1.5, 2.5), 1.0),
        (math.inf, ">=", 2.0, 0.0),
    ],
)
def test_relations_that_hold_and_the_room_they_use(folder, measured, relation, bound, used):
    check("cai/theorem-1", measured, relation, bound)
    (record,) = load_records(folder)["cai/theorem-1"]
    assert record["ok"] and record["used"] == (used if used is None else pytest.approx(used))


@pytest.mark.parametrize(
    ("measured", "within", "resolution", "used"),
    [
        (0.52, 0.04, None, 0.5),
        (0.52, 0.04, 0.05, 0.8),
        ([0.5, 0.53], 0.04, 0.08, 0.75),
        ([0.5, 0.53], [0.07, 0.04], 0.08, 0.875),
    ],
)
def test_agreement_within_an_uncertainty_that_is_small_enough(folder, measured, within, resolution, used):
    check("cai/theorem-1", measured, "=", 0.5, within=within, resolution=resolution)
    (record,) = load_records(folder)["cai/theorem-1"]
    assert record["ok"] and record["used"] == pytest.approx(used)


@pytest.mark.parametrize(
    ("measured", "within", "resolution"),
    [(0.55, 0.04, None), (0.5, 0.04, 0.03), (math.nan, 0.04, 1.0), ([0.5, 0.6], [0.04, 0.04], 1.0)],
)
def test_no_agreement(measured, within, resolution):
    """Too far away, too coarse to say, or no number."""
    with pytest.raises(ClaimError):
        check("cai/theorem-1", measured, "=", 0.5, within=within, resolution=resolution)


def test_a_noisy_exponent_is_no_evidence():
    wide = SimpleNamespace(exponent=-0.32, half_width=0.19)
    sharp = SimpleNamespace(exponent=-0.26, half_width=0.03)
    check_rate("newton/equation-16", sharp, -0.25, resolution=0.05)
    check_rate("newton/equation-16", [sharp, sharp], [-0.25, -0.27], resolution=0.05)
    with pytest.raises(ClaimError):
        check_rate("newton/equation-16", wide, -0.25, resolution=0.05)
    with pytest.raises(ClaimError):
        check_rate("newton/equation-16", [sharp, sharp], [-0.25, -0.5], resolution=0.05)


@pytest.mark.parametrize(
    ("measured", "relation", "bound"),
    [
        (1.1, "<=", 1.0),
        (1.0, "<", 1.0),
        (0.9, ">=", 1.0),
        (1.0, ">", 1.0),
        (2.6, "in", (1.5, 2.5)),
        (math.nan, "<=", 1.0),
        (math.nan, ">=", 1.0),
        (math.nan, "in", (0.0, 1.0)),
        (math.inf, "<=", 1.0),
        ([0.1, math.nan, 0.2], "<=", 1.0),
        ([0.1, 1.5, 0.2], "<=", 1.0),
        ([3.0, 0.5], ">=", 1.0),
        ([2.0, 2.6, 1.9], "in", (1.5, 2.5)),
    ],
)
def test_claims_that_fail_are_shown_recorded_and_raised(folder, capsys, measured, relation, bound):
    with pytest.raises(ClaimError, match=r"newton/lemma-9 .*FAILS  \(at width 64\)"):
        check("newton/lemma-9", measured, relation, bound, note="at width 64")
    assert "FAILS" in capsys.readouterr().out
    (record,) = load_records(folder)["newton/lemma-9"]
    assert not record["ok"] and record["note"] == "at width 64"


def test_message_says_what_was_measured_and_what_was_demanded():
    with pytest.raises(ClaimError, match=r"measured 0.75 <= 0.5 .*\(max over modes\)"):
        check("newton/theorem-4", 0.75, "<=", 0.5, note="max over modes")


def test_worst_element_counts(folder):
    check("newton/theorem-4", np.array([[0.1, 0.4], [0.3, 0.2]]), "<=", 0.5)
    check("newton/theorem-4", np.array([3, 2, 5]), ">=", 1)
    check("newton/theorem-4", [1.9, 2.3, 2.0], "in", (1.5, 2.5))
    measured = [record["measured"] for record in load_records(folder)["newton/theorem-4"]]
    assert measured == [0.4, 2.0, 2.3]


@given(POSITIVE, POSITIVE, st.sampled_from(["<=", ">="]))
def test_no_more_than_its_room_exactly_when_a_positive_claim_holds(measured, bound, relation):
    used = ledger._used(measured, relation, bound, None, None)
    assert (used <= 1) == ledger.RELATIONS[relation](measured, bound)


@pytest.mark.parametrize("end", [0.1, 0.3, 0.7])
def test_the_ends_of_an_interval_belong_to_it(end):
    check("cai/theorem-1", end, "in", (0.1, end) if end > 0.1 else (end, 0.3))


@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(0.01, 5))
def test_room_of_an_interval(measured, low, width):
    used = ledger._used(measured, "in", (low, low + width), None, None)
    inside = low + 1e-9 <= measured <= low + width - 1e-9
    assert used >= 0 and (used <= 1 or not inside)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("Newton/Theorem 4", 1, "<=", 2), "claim id 'Newton/Theorem 4'"),
        (("theorem-4", 1, "<=", 2), "'newton/theorem-4'"),
        ((4, 1, "<=", 2), "claim id 4"),
        (("newton/theorem-4", 1, "==", 1), "unknown relation '=='.*<=, >=, <, >, in, ="),
        (("newton/theorem-4", True, "<=", 1), "not a verdict.*bool"),
        (("newton/theorem-4", [], "<=", 1), r"shape \(0,\)"),
        (("newton/theorem-4", 1j, "<=", 1), "complex"),
        (("newton/theorem-4", "0.1", "<=", 1), "real numbers"),
        (("newton/theorem-4", 1, "<=", math.inf), "one finite number"),
        (("newton/theorem-4", 1, "<=", math.nan), "one finite number"),
        (("newton/theorem-4", [1, 2], "<=", [2, 3]), "measured / bound <= 1"),
        (("newton/theorem-4", 1, "in", 2), "finite ends"),
        (("newton/theorem-4", 1, "in", (2, 0)), "low < high"),
        (("newton/theorem-4", 1, "in", (0, math.inf)), "finite ends"),
    ],
)
def test_misuse_is_named(folder, arguments, message):
    with pytest.raises(NNTKError, match=message) as caught:
        check(*arguments)
    assert not isinstance(caught.value, ClaimError)
    assert not folder.exists()


def test_record_holds_what_the_ledger_page_shows(folder):
    check("newton/theorem-4", 0.312, "<=", 0.5, note="tanh, m = 4096")
    check("newton/theorem-4", 2.0, "in", (1.9, 2.2))
    assert [path.name for path in folder.iterdir()] == ["newton--theorem-4.json"]
    first, second = json.loads((folder / "newton--theorem-4.json").read_text(encoding="utf-8"))
    assert first == {
        "id": "newton/theorem-4",
        "measured": 0.312,
        "relation": "<=",
        "bound": 0.5,
        "within": None,
        "resolution": None,
        "used": 0.312 / 0.5,
        "ok": True,
        "note": "tanh, m = 4096",
        "anchor": "claim-newton-theorem-4",
    }
    assert second["bound"] == [1.9, 2.2] and second["anchor"] == "claim-newton-theorem-4-2"


def test_first_check_of_a_process_starts_the_file_anew(folder, monkeypatch):
    check("cai/lemma-1", 1.0, "<=", 2.0)
    check("cai/lemma-1", 1.5, "<=", 2.0)
    check("cai/lemma-2", 1.0, "<=", 2.0)
    monkeypatch.setattr(ledger, "_checked", {})
    check("cai/lemma-1", 1.9, "<=", 2.0)
    records = load_records(folder)
    assert [record["measured"] for record in records["cai/lemma-1"]] == [1.9]
    assert len(records["cai/lemma-2"]) == 1


def test_nan_is_recorded_as_valid_json(folder):
    with pytest.raises(ClaimError):
        check("cai/lemma-1", math.nan, "<=", 1.0)
    text = (folder / "cai--lemma-1.json").read_text(encoding="utf-8")
    assert json.loads(text, parse_constant=pytest.fail)[0]["measured"] == "nan"
    assert math.isnan(load_records(folder)["cai/lemma-1"][0]["measured"])


def test_nothing_is_written_without_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check("cai/lemma-1", 1.0, "<=", 2.0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [("=", {}), ("<=", {"within": 0.1}), ("<=", {"resolution": 0.1})])
def test_an_uncertainty_belongs_to_agreement(arguments):
    relation, options = arguments
    with pytest.raises(NNTKError, match="within"):
        check("newton/theorem-4", 1.0, relation, 2.0, **options)


@pytest.mark.parametrize("within", [0.0, -1.0, math.nan, [0.1, 0.0]])
def test_an_uncertainty_is_positive(within):
    with pytest.raises(NNTKError, match="positive finite"):
        check("newton/theorem-4", [1.0, 2.0], "=", 2.0, within=within)


def test_in_a_kernel_the_record_travels_with_the_line(monkeypatch, capsys):
    shown = []
    monkeypatch.setattr(IPython, "get_ipython", lambda: object())
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw, metadata: shown.append((bundle, metadata)))
    check("newton/theorem-4", 0.312, "<", 0.5, note="a < b")
    check("newton/theorem-4", 0.4, "<", 0.5)
    assert capsys.readouterr().out == ""
    (bundle, data), (_, second) = shown
    assert bundle["text/plain"] == "newton/theorem-4  measured 0.312 < 0.5  62 % of its room used  ok  (a < b)"
    assert '<div class="claim claim-ok">' in bundle["text/html"] and "a &lt; b" in bundle["text/html"]
    assert data["nntk"]["kind"] == "check" and data["nntk"]["record"]["anchor"] == "claim-newton-theorem-4"
    assert second["nntk"]["record"]["anchor"] == "claim-newton-theorem-4-2"


def test_claims_are_read_and_their_ids_checked(tmp_path):
    path = tmp_path / "claims.yml"
    path.write_text("- {id: newton/theorem-4, status: carried}\n- {id: cai/lemma-1, status: open}\n")
    assert [claim["id"] for claim in load_claims(path)] == ["newton/theorem-4", "cai/lemma-1"]
    path.write_text("- {id: newton/theorem-4}\n- {id: newton/theorem-4}\n- {id: Bad Id}\n")
    with pytest.raises(NNTKError, match="Bad Id, newton/theorem-4"):
        load_claims(path)
