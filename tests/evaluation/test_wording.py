import copy
import io
from functools import cache

import pytest
from example_report import synthetic_report
from rich.console import Console

from mutualctr.evaluation.table import table_rows
from mutualctr.evaluation.terminal import render_table
from mutualctr.evaluation.wording import count, headline, number, percent, signed

report_of = cache(synthetic_report)


def printed(report):
    console = Console(width=100, file=io.StringIO())
    console.print(render_table(report))
    return console.file.getvalue()


def with_intervals(groups, pretrained, control):
    """The example report, its shown intervals replaced by (mean, low, high)."""
    report = copy.deepcopy(report_of(groups))
    for name, (mean, low, high) in {
        "mutual_vs_pretrained": pretrained,
        "mutual_vs_control": control,
    }.items():
        comparison = report["delta_auc"][name]
        shown = comparison["groups"] if groups > 1 else comparison["delong"]["per_group"][0]
        shown |= {"low": low, "high": high}
        comparison |= {"mean": mean, "relaimp": mean / 0.25}
    return report


def test_numbers_read_well():
    assert number(0.741234, 5) == "0.74123"
    assert signed(0.0012, 5) == "+0.00120"
    assert signed(-0.0012, 5) == "−0.00120"
    assert percent(0.0038) == "+0.38 %"
    assert count(4584062) == "4\u202f584\u202f062"


UP, FLAT, DOWN = (0.0012, 0.0004, 0.002), (0.0003, -0.0005, 0.0011), (-0.001, -0.0018, -0.0002)


@pytest.mark.parametrize("groups", [1, 3])
def test_claim_says_both_gains_with_their_intervals(groups):
    found = headline(with_intervals(groups, UP, FLAT))
    assert found.claim == (
        "Mutual finetuning moved test AUC by +0.00120 (+0.48 % RelaImp, 95 % interval "
        "+0.00040 … +0.00200) over the pretrained peers and by +0.00030 (+0.12 % RelaImp, 95 % "
        "interval −0.00050 … +0.00110) over one more epoch without peers."
    )


@pytest.mark.parametrize(
    ("pretrained", "control", "words"),
    [
        (UP, UP, ["larger than its uncertainty", "add something"]),
        (UP, FLAT, ["larger than its uncertainty", "control crosses zero"]),
        (FLAT, UP, ["pretrained peers crosses zero", "add something"]),
        (FLAT, FLAT, ["no gain is shown", "may explain all of it"]),
        (DOWN, DOWN, ["cost the pretrained peers", "without peers would have been better"]),
    ],
)
def test_verdict_is_honest(pretrained, control, words):
    verdict = headline(with_intervals(3, pretrained, control)).verdict
    for word in words:
        assert word in verdict
    assert ("crosses zero" in verdict) == (FLAT in (pretrained, control))


def test_an_interval_that_touches_zero_shows_no_gain():
    verdict = headline(with_intervals(1, (0.001, 0.0, 0.002), UP)).verdict
    assert "no gain is shown" in verdict


def test_basis_says_which_noise_is_covered():
    assert "do not say what other seeds would give" in headline(report_of(1)).basis
    assert "3 seed groups of 4 peers" in headline(report_of(3)).basis


@pytest.mark.parametrize("groups", [1, 3])
def test_table_has_peers_mean_ensembles_and_baseline(groups):
    report = report_of(groups)
    rows = list(table_rows(report))
    kinds = ["peer"] * 4 * groups + ["mean"] + ["ensemble"] * groups + ["baseline"]
    assert [row.kind for row in rows] == kinds
    first = rows[0]
    assert first.auc == tuple(
        number(report["arms"][arm][0]["auc"], 5) for arm in ("pretrained", "control", "mutual")
    )
    assert first.vs_pretrained == percent(report["arms"]["mutual"][0]["relaimp"])
    mean = rows[4 * groups]
    assert mean.vs_control == percent(report["delta_auc"]["mutual_vs_control"]["relaimp"])
    assert rows[-1].auc == ("0.65120", "", "")


@pytest.mark.parametrize("groups", [1, 3])
def test_terminal_fits_a_hundred_columns_without_cutting(groups):
    report = report_of(groups)
    text = printed(report)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 100
    for row in table_rows(report):
        (line,) = [line for line in text.splitlines() if line.startswith(f"  {row.name} ")]
        for cell in (*row.auc, *row.logloss, row.vs_pretrained, row.vs_control):
            assert cell in line


def test_terminal_shows_a_name_with_markup_as_it_is():
    report = copy.deepcopy(report_of(1))
    report["arms"]["pretrained"][0]["peer"] = "[red]x[/red]"
    assert "[red]x[/red]" in printed(report)
