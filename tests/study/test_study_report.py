"""The study's record and its pages: what they say is what the cells hold."""

import json

import numpy as np
import pytest
from study_world import bench, config

from mutualctr.evaluation.auc import auc, relaimp
from mutualctr.study.pages import findings, render_html, render_markdown, write_study
from mutualctr.study.report import build_study
from mutualctr.study.run import run_study
from mutualctr.study.tables import tables

HYPOTHESIS = {
    "id": "H1",
    "text": "<b>the extra epoch</b> is most of it | really",
    "cohort": "same",
    "measure": "share",
    "arm": "mutual",
    "base": "control",
    "side": "above",
    "threshold": 0.5,
}


def four(architecture, first):
    return [{"architecture": architecture, "seed": first + n} for n in range(4)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    tuned = config().cohorts[0].finetuning.model_dump(mode="json")
    names = ("deepfm", "dcn", "pnn", "fibinet")
    cohorts = [
        {"name": "same", "peers": four("deepfm", 1), "finetuning": tuned},
        {"name": "pair", "peers": four("deepfm", 1)[:2], "finetuning": tuned},
        {
            "name": "mixed",
            "peers": [{"architecture": name, "seed": 1} for name in names],
            "finetuning": tuned,
        },
    ]
    arms = [
        {"name": "control", "kind": "control"},
        {"name": "mutual", "kind": "mutual", "epochs": 2},
        {"name": "heavier", "kind": "mutual", "weight": 4.0},
        {"name": "heaviest", "kind": "mutual", "weight": 8.0},
        {"name": "scratch", "kind": "scratch"},
    ]
    made = bench(
        tmp_path_factory.mktemp("study"), arms=arms, cohorts=cohorts, hypotheses=[HYPOTHESIS]
    )
    cells = run_study(made, lambda *_: None)
    dataset = {"name": "tiny <set>", "rows": {"train": 300, "dev": 120, "test": 120}}
    return made, cells, build_study(made, cells, dataset, {"torch": "x"})


def test_the_record_holds_what_the_cells_hold(finished):
    made, cells, study = finished
    label_R = made.open("test").label_R
    rows = {(r["cohort"], r["arm"], r["epoch"]): r for r in study["rows"]}
    for cell, found in cells:
        for epoch, probability_NR in enumerate(found.probability_ENR("test"), 1):
            group = rows[cell.cohort, cell.arm.name, epoch]["groups"][cell.group]
            assert group["aucs"] == [auc(label_R, p_R) for p_R in probability_NR]
    row = rows["same", "mutual", 1]
    by_hand = [
        relaimp(one["auc"], other["auc"])
        for one, other in zip(row["groups"], rows["same", "control", 1]["groups"], strict=True)
    ]
    assert row["vs"]["control"]["relaimps"] == pytest.approx(by_hand)
    assert len(rows) == 3 * (1 + 1 + 2 + 1 + 1 + 1)  # cohorts × (pretrained + arms, mutual twice)


def test_it_is_plain_json(finished):
    study = finished[2]
    assert json.loads(json.dumps(study, allow_nan=False)) == study


def test_every_table_has_the_rows_it_promises(finished):
    made = {table.title: table for table in tables(finished[2])}
    assert len(made) == 8
    for table in made.values():
        assert {len(row) for row in table.rows} == {len(table.head)}, table.title
    assert [row[0] for row in made["Table 1: peers of one architecture"].rows] == [
        "ours: same",
        "paper: deepfm, avazu",
        "paper: deepfm, criteo",
    ]
    # the paper's DeepFM on Criteo: 0.81207 → 0.81297 is +0.29 %
    assert made["Table 1: peers of one architecture"].rows[2][-1] == "+0.29 %"
    assert len(made["Table 2: the same architecture or different ones"].rows) == 4 * 3
    assert [row[0] for row in made["Tables 3 and 4: how many peers"].rows] == [
        "2 deepfm",
        "4 deepfm",
    ]


def test_the_pages_show_every_table_and_escape_what_comes_from_outside(finished, tmp_path):
    study = finished[2]
    html, markdown = render_html(study), render_markdown(study)
    for table in tables(study):
        assert table.title in html
        assert table.title in markdown
    assert "<b>the extra" not in html
    assert "&lt;b&gt;the extra" in html
    assert "tiny &lt;set&gt;" in html
    assert "\\| really" in markdown
    assert "http://" not in html.replace("http://www.w3.org", "")
    assert html.count("data:image/svg+xml") == 2
    write_study(study, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "study.html",
        "study.json",
        "study.md",
    ]


def test_the_findings_are_one_sentence_per_cohort(finished):
    said = findings(finished[2])
    assert [sentence.split(":")[0] for sentence in said] == ["same", "pair", "mixed"]
    row = next(
        r
        for r in finished[2]["rows"]
        if (r["cohort"], r["arm"], r["epoch"]) == ("same", "mutual", 1)
    )
    expected = f"{100 * np.mean(row['vs']['control']['relaimps']):+.2f}".replace("-", "−")
    assert f"{expected} % [" in said[0]
