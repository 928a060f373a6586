import copy
import dataclasses
import json
from functools import cache

import numpy as np
import pytest
from example_report import curve_records, scored_run, synthetic_report

from mutualctr.errors import DataError
from mutualctr.evaluation.auc import auc, relaimp
from mutualctr.evaluation.calibration import logloss, pcoc
from mutualctr.evaluation.html import render_html
from mutualctr.evaluation.markdown import render_markdown
from mutualctr.evaluation.measured import Measured
from mutualctr.evaluation.report import plain, write_report
from mutualctr.evaluation.scored import ARMS, Peer, Scored
from mutualctr.evaluation.significance import group_interval, paired_delong

report_of = cache(synthetic_report)

TOP_KEYS = [
    "schema_version",
    "dataset",
    "rows",
    "peers",
    "arms",
    "ensembles",
    "delta_auc",
    "agreement",
    "reliability",
    "curves",
    "baseline",
    "config",
    "versions",
]


@pytest.mark.parametrize("groups", [1, 3])
def test_shape(groups):
    report = report_of(groups)
    assert list(report) == TOP_KEYS
    for part in ("arms", "ensembles", "agreement", "reliability"):
        assert list(report[part]) == list(ARMS)
    for arm in ARMS:
        names = [entry["peer"] for entry in report["arms"][arm]]
        assert names == [peer["name"] for peer in report["peers"]]
        assert [entry["group"] for entry in report["ensembles"][arm]] == list(range(groups))
        assert [entry["group"] for entry in report["agreement"][arm]] == list(range(groups))
        assert len(report["reliability"][arm]) == 4 * groups
    assert list(report["arms"]["mutual"][0]) == [
        *("peer", "architecture", "seed", "auc", "logloss", "pcoc", "ece", "relaimp")
    ]
    assert "probability" not in report["baseline"]


def test_every_number_of_a_peer_is_the_measures():
    report = report_of(1)
    scored, label_B = scored_run(1, 4, 3000)
    for entry in scored:
        (row,) = [r for r in report["arms"][entry.arm] if r["peer"] == entry.peer.name]
        (base,) = [s for s in scored if (s.peer, s.arm) == (entry.peer, "pretrained")]
        assert row["auc"] == auc(label_B, entry.probability_B)
        assert row["logloss"] == logloss(label_B, entry.probability_B)
        assert row["pcoc"] == pcoc(label_B, entry.probability_B)
        assert row["relaimp"] == relaimp(row["auc"], auc(label_B, base.probability_B))
    assert {row["relaimp"] for row in report["arms"]["pretrained"]} == {0}


def test_ensemble_is_measured_against_its_groups_mean_pretrained_peer():
    report = report_of(3)
    scored, label_B = scored_run(3, 4, 3000)
    own = [s.probability_B for s in scored if s.peer.group == 1 and s.arm == "control"]
    base = np.mean([row["auc"] for row in report["arms"]["pretrained"][4:8]])
    entry = report["ensembles"]["control"][1]
    assert entry["auc"] == auc(label_B, np.mean(own, axis=0))
    assert entry["relaimp"] == pytest.approx(relaimp(entry["auc"], base))


@pytest.mark.parametrize("base", ["pretrained", "control"])
def test_gain_per_peer_per_group_and_over_groups(base):
    report = report_of(3)
    scored, label_B = scored_run(3, 4, 3000)
    of = {(s.peer.name, s.arm): s.probability_B for s in scored}
    comparison = report["delta_auc"][f"mutual_vs_{base}"]
    for entry in comparison["delong"]["per_peer"]:
        name = entry["peer"]
        expected = paired_delong(label_B, of[name, "mutual"], of[name, base], 0.95)
        for key, value in dataclasses.asdict(expected).items():
            assert entry[key] == pytest.approx(value, abs=1e-12)
    gains = np.array([entry["delta"] for entry in comparison["delong"]["per_peer"]]).reshape(3, 4)
    spread = comparison["groups"]
    assert spread["deltas"] == pytest.approx(gains.mean(axis=1))
    assert spread["deltas"] == [entry["delta"] for entry in comparison["delong"]["per_group"]]
    expected = group_interval(spread["deltas"], 0.95)
    assert (spread["low"], spread["high"]) == (expected.low, expected.high)
    assert comparison["mean"] == spread["mean"] == pytest.approx(gains.mean())
    means = [np.mean([row["auc"] for row in report["arms"][arm]]) for arm in ("mutual", base)]
    assert comparison["relaimp"] == pytest.approx(relaimp(*means))


def test_one_group_has_rows_but_no_spread():
    comparison = report_of(1)["delta_auc"]["mutual_vs_control"]
    assert comparison["groups"]["n"] == 1
    assert (comparison["groups"]["low"], comparison["groups"]["high"]) == (None, None)
    (group,) = comparison["delong"]["per_group"]
    mean_of_ses = np.mean([entry["se"] for entry in comparison["delong"]["per_peer"]])
    assert 0 < group["se"] < mean_of_ses  # averaging peers cannot add noise, and here takes some


def test_curves_are_sorted_and_a_missing_number_is_null():
    curves = report_of(1)["curves"]
    scored, _ = scored_run(1, 4, 3000)
    assert len(curves) == len(curve_records(scored))
    keys = [(r["peer"], ARMS.index(r["arm"]), r["epoch"]) for r in curves]
    assert keys == sorted(keys)
    assert plain({"x": float("nan"), "y": [np.float32(0.5), np.int64(3)]}) == {
        "x": None,
        "y": [0.5, 3],
    }


def test_written_files_are_whole_plain_and_the_same_again(tmp_path):
    report = report_of(3)
    first = {kind: path.read_bytes() for kind, path in write_report(report, tmp_path).items()}
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("report.html", "report.json", "report.md")
    ]
    again = json.loads(first["json"], parse_constant=pytest.fail)
    assert again == report
    second = write_report(again, tmp_path / "again")
    assert {kind: path.read_bytes() for kind, path in second.items()} == first


def test_a_failed_write_leaves_the_old_report(tmp_path):
    write_report(report_of(1), tmp_path)
    before = (tmp_path / "report.json").read_bytes()
    broken = report_of(1) | {"config": {"weight": float("nan")}}
    with pytest.raises(ValueError, match="JSON compliant"):
        write_report(broken, tmp_path)
    assert (tmp_path / "report.json").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("bad", [np.nan, -0.1, 1.1])
def test_a_probability_is_in_the_unit_interval(bad):
    with pytest.raises(DataError, match="peer dcn-0, arm mutual: the probability of test row 1"):
        Scored(Peer("dcn-0", "dcn", 1, 0), "mutual", np.array([0.5, bad]))


def test_an_incomplete_run_is_no_report():
    scored, label_B = scored_run(1, 2, 100)
    with pytest.raises(AssertionError, match="not scored"):
        Measured(scored[:-1], label_B)
    with pytest.raises(AssertionError, match="twice"):
        Measured([*scored, scored[0]], label_B)
    with pytest.raises(AssertionError, match="labels 99"):
        Measured(scored, label_B[1:])


HOSTILE = "<script>alert('x')</script> $\\frac$ |a|b| [l](u) `c` {{x}} ${title}"


def hostile_report():
    report = copy.deepcopy(report_of(1))
    report["dataset"] = {"name": HOSTILE, HOSTILE: HOSTILE}
    report["baseline"]["method"] = HOSTILE
    report["config"] = {HOSTILE: [HOSTILE]}
    report["versions"] = {HOSTILE: HOSTILE}
    old = report["peers"][0]["name"]
    report["peers"][0] |= {"name": HOSTILE, "architecture": HOSTILE}
    comparisons = [c["delong"]["per_peer"] for c in report["delta_auc"].values()]
    for entries in (*report["arms"].values(), report["curves"], *comparisons):
        for entry in entries:
            entry["peer"] = HOSTILE if entry["peer"] == old else entry["peer"]
    return report


def test_html_needs_no_network_and_escapes_what_it_is_given():
    page = render_html(hostile_report())
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 9  # title twice, peer thrice, the rest
    assert "http://" not in page
    assert "https://" not in page
    assert page.count('<img src="data:image/svg+xml;base64,') == page.count("<img") == 4
    assert "default-src 'none'" in page


def test_markdown_cannot_be_broken_out_of():
    text = render_markdown(hostile_report())
    assert "<script" not in text.replace("\\<", "")
    tables = [line for line in text.splitlines() if line.startswith("| ")]
    # an unescaped bar would give a row more cells than its head
    cells = {len(line.replace("\\|", "").split("|")) for line in tables}
    assert cells == {11, 5, 4}


VERDICT = {"rule": "pcoc", "asks": "PCOC from 0.9 to 1.1", "found": "<1.2>", "passed": False}
PROMOTION = {
    "decision": "kept",
    "sentence": "ctr/4 failed pcoc; ctr/3 stays champion.",
    "cautions": ["The comparison favours the champion."],
    "model": "ctr",
    "champion": 3,
    "rows": 1234,
    "clicks": 321,
    "days": ["2026-03-06", "2026-03-07"],
    "verdicts": [VERDICT, VERDICT | {"rule": "auc", "passed": True}],
}


def test_the_gate_stands_in_the_report_once_it_has_judged(tmp_path):
    before = write_report(report_of(1), tmp_path)
    for suffix in ("html", "md"):
        assert "Promotion gate" not in before[suffix].read_text()
    after = write_report(report_of(1) | {"promotion": PROMOTION}, tmp_path)
    page = after["html"].read_text()
    assert page.index("Promotion gate") < page.index("Test scores")
    for words in (PROMOTION["sentence"], *PROMOTION["cautions"], "✗ failed", "✓ kept", "ctr/3"):
        assert words in page
    assert "&lt;1.2&gt;" in page
    assert "| FAILED | pcoc | PCOC from 0.9 to 1.1 | \\<1.2\\> |" in after["md"].read_text()
    assert json.loads(after["json"].read_text())["promotion"] == PROMOTION
