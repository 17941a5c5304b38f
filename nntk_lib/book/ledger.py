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
SIGNS = {"<=": "≤", ">=": "≥", "<": "&lt;", ">": "&gt;", "in": "in"}
ID = re.compile(r"[a-z0-9]+/[a-z0-9]+(-[a-z0-9]+)*")
_checked: dict[str, list[dict]] = {}  # the checks of this process, by claim


def check(id: str, measured: ArrayLike, relation: str, bound, note: str = "") -> None:
    """Measure a claim: show one line with measured value, bound and slack; raise when it does not hold.

    The slack says how far the measurement is from failing. For the inequalities it is the factor
    bound/measured (measured/bound for ``>=`` and ``>``) when both are positive, else the signed distance to
    the bound. For ``in`` it is the distance to the nearer end over half the width: 1 in the middle, 0 at
    an end, negative outside.

    Parameters
    ----------
    id : claim of ``claims.yml``, such as "newton/theorem-4"
    measured : a number or an array of numbers; of an array the element nearest to failing counts and is shown
    relation : "<=", ">=", "<", ">", or "in" (between the two ends given by `bound`, or on them)
    bound : a finite number, for "in" a pair (low, high) with low < high
    note : what was measured, in a few words

    Raises
    ------
    NNTKError
        for a malformed id, an unknown relation, a bound that is not finite (such a check could not fail), or
        when `measured` does not hold real numbers.
    ClaimError
        when the relation does not hold; NaN never holds.
    """
    if not isinstance(id, str) or not ID.fullmatch(id):
        raise NNTKError(f"claim id {id!r}: a form such as 'newton/theorem-4' (lower case) is needed")
    bound = _bound(relation, bound)
    value = _worst(measured, relation, bound)
    slack = _slack(value, relation, bound)
    holds = slack >= 0 if relation == "in" else bool(RELATIONS[relation](value, bound))
    earlier = _checked.setdefault(id, [])
    suffix = f"-{len(earlier) + 1}" if earlier else ""
    record = {
        "id": id, "measured": value, "relation": relation, "bound": bound, "slack": slack, "ok": holds,
        "note": note, "anchor": "claim-" + id.replace("/", "-") + suffix,
    }  # fmt: skip
    earlier.append(record)
    _write(id, earlier)
    _show(record)
    if not holds:
        raise ClaimError(line(record))


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


def _worst(measured, relation, bound) -> float:
    values = np.asarray(measured)
    if values.size == 0 or values.dtype.kind not in "iuf":
        given = f"{values.dtype} of shape {values.shape}"
        raise NNTKError(f"measured must hold real numbers (a measurement, not a verdict), got {given}")
    values = values.astype(float).ravel()
    if np.isnan(values).any():
        return math.nan
    if relation == "in":
        return float(values[np.argmax(np.abs(values - (bound[0] + bound[1]) / 2))])
    return float(values.max() if relation in ("<=", "<") else values.min())


def _slack(value, relation, bound) -> float:
    if relation == "in":
        low, high = bound
        return min(value - low, high - value) / ((high - low) / 2)
    small, large = (value, bound) if relation in ("<=", "<") else (bound, value)
    return large / small if small > 0 and large > 0 else large - small


def line(record: Mapping) -> str:
    """A check as one line of text: id, measured value, relation, bound, slack, verdict, note."""
    note = f"  ({record['note']})" if record["note"] else ""
    verdict = "ok" if record["ok"] else "FAILS"
    return (
        f"{record['id']}  measured {record['measured']:.3g} {record['relation']} {_bound_text(record)}  "
        f"slack {record['slack']:.2g}  {verdict}{note}"
    )


def _bound_text(record) -> str:
    bound = record["bound"]
    return f"[{bound[0]:.3g}, {bound[1]:.3g}]" if record["relation"] == "in" else f"bound {bound:.3g}"


def line_html(record: Mapping) -> str:
    """A check as a line of the page, with the anchor the ledger links to."""
    verdict = "ok" if record["ok"] else "fails"
    note = f' <span class="claim-note">{html.escape(record["note"])}</span>' if record["note"] else ""
    return (
        f'<div class="claim claim-{verdict}" id="{record["anchor"]}" data-claim="{record["id"]}">'
        f'<span class="claim-id">{record["id"]}</span> '
        f'<span class="claim-values">measured <b>{record["measured"]:.3g}</b> {SIGNS[record["relation"]]} '
        f'{_bound_text(record)}</span> <span class="claim-slack">slack {record["slack"]:.2g}</span> '
        f'<span class="claim-verdict">{verdict}</span>{note}</div>'
    )


def _show(record) -> None:
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        print(line(record))
        return
    from IPython.display import display

    display({"text/plain": line(record), "text/html": line_html(record)}, raw=True)


def _write(id, records) -> None:
    """One JSON file a claim, written anew by the first check of a process; infinite and NaN as strings."""
    folder = os.environ.get("NNTK_LEDGER")
    if not folder:
        return
    Path(folder).mkdir(parents=True, exist_ok=True)
    plain = [
        {key: str(v) if isinstance(v, float) and not math.isfinite(v) else v for key, v in record.items()}
        for record in records
    ]
    text = json.dumps(plain, ensure_ascii=False, allow_nan=False, indent=1)
    record_file(folder, id).write_text(text + "\n", encoding="utf-8")


def record_file(folder: str | Path, id: str) -> Path:
    """Where the checks of a claim are written: newton/lemma-9 to newton--lemma-9.json."""
    return Path(folder) / (id.replace("/", "--") + ".json")


def load_records(folder: str | Path) -> dict[str, list[dict]]:
    """The checks written to a folder: claim id to the list of its records, in the order they were made."""
    records: dict[str, list[dict]] = {}
    for path in sorted(Path(folder).glob("*.json")):
        for record in json.loads(path.read_text(encoding="utf-8")):
            numbers = {key: float(record[key]) for key in ("measured", "slack")}
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
