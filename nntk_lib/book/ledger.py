"""The ledger of claims: every theorem, lemma and figure of the papers is measured, and fails loudly.

A cell that measures a claim calls `check` with a number, a relation and a bound. The line it shows is
what the reader sees, the record it writes (when the environment variable ``NNTK_LEDGER`` names a folder)
is what the ledger page and the tests read. A claim that does not hold raises, and with it fails the build.

The functions that read claims and records are pure; only `load_claims` needs pyyaml, imported when called.
"""

from __future__ import annotations

import html
import json
import math
import operator
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from ..exceptions import ClaimError, NNTKError

RELATIONS = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt}
SIGNS = {"<=": "≤", ">=": "≥", "<": "<", ">": ">", "in": "in", "=": "="}
ID = re.compile(r"[a-z0-9]+/[a-z0-9]+(-[a-z0-9]+)*")
_checked: dict[str, list[dict]] = {}  # the checks of this process, by claim


def check(id: str, measured: ArrayLike, relation: str, bound, note: str = "", *, within=None, resolution=None) -> None:
    """Measure a claim: show one line with what was measured and what was claimed; raise when it does not hold.

    How close a check came to failing is the share of its room that it used: 0 is far from failing, 1 the edge.
    That is measured/bound for ``<=`` and ``<``, bound/measured for ``>=`` and ``>`` (of two numbers of one sign, else
    nothing is said); for ``in`` the distance from the middle over half the width; for ``=`` the larger of
    deviation/within and within/resolution.

    Parameters
    ----------
    id : claim of ``claims.yml``, such as "newton/theorem-4"
    measured : a number or an array of numbers; of an array the element nearest to failing counts and is shown
    relation : "<=", ">=", "<", ">", "in" (between the two ends given by `bound`, or on them), or "=" (up to `within`)
    bound : a finite number, for "in" a pair (low, high) with low < high
    note : what was measured, in a few words
    within : for "=" the uncertainty of each measured number, as the half-width of its confidence interval
    resolution : for "=" what `within` may be at most, because what is noisy enough agrees with everything; needed
        unless `within` is a formula of the tolerance and not measured itself

    Raises
    ------
    NNTKError
        for a malformed id, an unknown relation, a bound that is not finite (such a check could not fail), or
        when `measured` does not hold real numbers.
    ClaimError
        when the relation does not hold, or a measurement is too coarse to say so; NaN never holds.
    """
    if not isinstance(id, str) or not ID.fullmatch(id):
        raise NNTKError(f"claim id {id!r}: a form such as 'newton/theorem-4' (lower case) is needed")
    bound = _bound(relation, bound)
    if (relation == "=") != (within is not None) or (resolution is not None and relation != "="):
        raise NNTKError("relation '=' needs within=..., and may have resolution=...; no other relation has them")
    value, within = _worst(measured, relation, bound, within, resolution)
    used = _used(value, relation, bound, within, resolution)
    holds = _holds(value, relation, bound, used)
    earlier = _checked.setdefault(id, [])
    suffix = f"-{len(earlier) + 1}" if earlier else ""
    record = {
        "id": id, "measured": value, "relation": relation, "bound": bound, "within": within,
        "resolution": resolution, "used": used, "ok": holds, "note": note,
        "anchor": "claim-" + id.replace("/", "-") + suffix,
    }  # fmt: skip
    earlier.append(record)
    _write(id, earlier)
    _show(record)
    if not holds:
        raise ClaimError(line(record))


def check_rate(id: str, rate, theory: float, resolution: float, note: str = "") -> None:
    """A fitted exponent, or several: within its confidence interval of the theory, and that no wider than stated.

    Parameters
    ----------
    rate : a fit of `nntk_lib.theory.fit_rate`, or a list of fits: what has an ``exponent`` and a ``half_width``
    theory : the exponent claimed, one for all or one for each
    resolution : what the half-width of each interval may be at most
    """
    rates = rate if isinstance(rate, (list, tuple)) else [rate]
    exponents = np.array([r.exponent for r in rates])
    away = exponents - np.asarray(theory, float)  # several theories: as distances from them
    one = len(rates) == 1 or np.ndim(theory) == 0
    widths = [r.half_width for r in rates]
    measured, bound = (exponents, float(np.ravel(theory)[0])) if one else (away, 0.0)
    check(id, measured, "=", bound, note, within=widths, resolution=resolution)


def _bound(relation, bound):
    if relation not in SIGNS:
        raise NNTKError(f"unknown relation {relation!r}: one of {', '.join(SIGNS)} is needed")
    ends = np.asarray(bound)
    finite = ends.dtype.kind in "iuf" and bool(np.isfinite(ends).all())
    if relation == "in":
        if not finite or ends.shape != (2,) or ends[0] >= ends[1]:
            raise NNTKError(f"relation 'in' needs finite ends (low, high) with low < high, got {bound!r}")
        return (float(ends[0]), float(ends[1]))
    if not finite or ends.ndim != 0:
        raise NNTKError(f"bound {bound!r}: one finite number is needed; for several bounds check measured / bound <= 1")
    return float(ends)


def _worst(measured, relation, bound, within, resolution) -> tuple:
    values = np.asarray(measured)
    if values.size == 0 or values.dtype.kind not in "iuf":
        given = f"{values.dtype} of shape {values.shape}"
        raise NNTKError(f"measured must hold real numbers (a measurement, not a verdict), got {given}")
    values = values.astype(float).ravel()
    if within is not None:
        widths = np.broadcast_to(np.asarray(within, float).ravel(), values.shape)
        if not (np.isfinite(widths).all() and (widths > 0).all()):
            raise NNTKError(f"within {within!r}: positive finite numbers are needed, one for all or one for each")
        used = [_used(value, "=", bound, width, resolution) for value, width in zip(values, widths, strict=True)]
        worst = int(np.argmax(np.nan_to_num(used, nan=np.inf)))
        return float(values[worst]), float(widths[worst])
    if np.isnan(values).any():
        return math.nan, None
    if relation == "in":
        return float(values[np.argmax(np.abs(values - (bound[0] + bound[1]) / 2))]), None
    return float(values.max() if relation in ("<=", "<") else values.min()), None


def _holds(value, relation, bound, used) -> bool:
    if relation == "in":
        return bound[0] <= value <= bound[1]
    return bool(used <= 1 if relation == "=" else RELATIONS[relation](value, bound))


def _used(value, relation, bound, within, resolution) -> float | None:
    if math.isnan(value):
        return math.nan
    if relation == "in":
        low, high = bound
        return abs(value - (low + high) / 2) / ((high - low) / 2)
    if relation == "=":
        return max(abs(value - bound) / within, within / resolution if resolution else 0.0)
    small, large = (value, bound) if relation in ("<=", "<") else (bound, value)
    if small >= 0 and large > 0:
        return small / large
    return large / small if small < 0 and large < 0 else None


def line(record: Mapping) -> str:
    """A check as one line of text: id, measured value, relation, bound, share of the room used, verdict, note."""
    note = f"  ({record['note']})" if record["note"] else ""
    verdict = "ok" if record["ok"] else "FAILS"
    return (
        f"{record['id']}  measured {record['measured']:.3g} {record['relation']} {bound_text(record)}"
        f"{used_text(record, '  {} of its room used')}  {verdict}{note}"
    )


def bound_text(record: Mapping) -> str:
    """What was claimed, without the relation: 1, [0, 1], 0.5 ± 0.02."""
    bound = record["bound"]
    if record["relation"] == "in":
        return f"[{bound[0]:.3g}, {bound[1]:.3g}]"
    return f"{bound:.3g} ± {record['within']:.2g}" if record["relation"] == "=" else f"{bound:.3g}"


def used_text(record: Mapping, form: str = "{}") -> str:
    """The share of its room that a check used, as 83 %, and nothing where there is none."""
    used = record["used"]
    if used is None or not math.isfinite(float(used)):
        return ""
    return form.format("under 1 %" if float(used) < 0.01 else f"{100 * float(used):.0f} %")


def line_html(record: Mapping) -> str:
    """A check as a line of a notebook; on the page the checks of a claim are one badge (``book/_ext/nntk/form.py``)."""
    verdict = "ok" if record["ok"] else "fails"
    note = f" <span>{html.escape(record['note'])}</span>" if record["note"] else ""
    return (
        f'<div class="claim claim-{verdict}"><code>{record["id"]}</code> measured <b>{record["measured"]:.3g}</b> '
        f"{html.escape(SIGNS[record['relation']])} {bound_text(record)}{used_text(record, ', {} of its room used')}: "
        f"{verdict}{note}</div>"
    )


def _show(record) -> None:
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        print(line(record))
        return
    from IPython.display import display

    bundle = {"text/plain": line(record), "text/html": line_html(record)}
    display(bundle, raw=True, metadata={"nntk": {"kind": "check", "record": _plain(record)}})


def _plain(record) -> dict:
    """As JSON takes it: infinite and NaN as strings."""
    return {key: str(v) if isinstance(v, float) and not math.isfinite(v) else v for key, v in record.items()}


def _write(id, records) -> None:
    """One JSON file a claim, written anew by the first check of a process."""
    folder = os.environ.get("NNTK_LEDGER")
    if not folder:
        return
    Path(folder).mkdir(parents=True, exist_ok=True)
    text = json.dumps([_plain(record) for record in records], ensure_ascii=False, allow_nan=False, indent=1)
    record_file(folder, id).write_text(text + "\n", encoding="utf-8")


def record_file(folder: str | Path, id: str) -> Path:
    """Where the checks of a claim are written: newton/lemma-9 to newton--lemma-9.json."""
    return Path(folder) / (id.replace("/", "--") + ".json")


def load_records(folder: str | Path) -> dict[str, list[dict]]:
    """The checks written to a folder: claim id to the list of its records, in the order they were made."""
    records: dict[str, list[dict]] = {}
    for path in sorted(Path(folder).glob("*.json")):
        for record in json.loads(path.read_text(encoding="utf-8")):
            numbers = {key: None if record[key] is None else float(record[key]) for key in ("measured", "used")}
            records.setdefault(record["id"], []).append({**record, **numbers})
    return records


def load_claims(path: str | Path) -> list[dict]:
    """The list of claims in a YAML file (needs pyyaml); ids must be well formed and occur once."""
    import yaml

    claims = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    ids = [claim["id"] for claim in claims]
    wrong = sorted({i for i in ids if not ID.fullmatch(i) or ids.count(i) > 1})
    if wrong:
        raise NNTKError(f"{path}: claim ids malformed or listed twice: {', '.join(wrong)}")
    return claims
