"""The study's record and its pages: what they say is what the cells hold."""

import json
import shutil

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from study_world import bench, config

from mutualctr.errors import DataError
from mutualctr.evaluation.auc import auc, relaimp
from mutualctr.study.answers import answers, findings, headline
from mutualctr.study.config import StudyConfig
from mutualctr.study.pages import (
    FILES,
    read_study,
    render_markdown,
    tables,
    write_study,
)
from mutualctr.study.record import control_of, mutuals, share
from mutualctr.study.report import build_study
from mutualctr.study.run import run_study
from stack import cli

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
    assert len(made) == 9
    for table in made.values():
        assert {1 + len(row.cells) for row in table.rows} == {len(table.head)}, table.title
    first = made["Table 1: four peers of one architecture"].rows
    assert [(row.section, row.name) for row in first] == [
        ("deepfm", "ours: mutual"),
        ("deepfm", "paper: avazu"),
        ("deepfm", "paper: criteo"),
    ]
    # the paper's DeepFM on Criteo: 0.81207 → 0.81297 is +0.29 %
    assert first[2].cells[-1].value == "+0.29 %"
    assert len(made["Table 2: the same architecture or different ones"].rows) == 4 * 3
    assert [row.name for row in made["Tables 3 and 4: how many peers"].rows] == [
        "2 peers",
        "4 peers",
    ]
    assert [row.name for row in made["The weight of the pull"].rows] == [
        "weight 2",
        "weight 4",
        "weight 8",
    ] * 3


def test_every_number_of_ours_has_its_spread(finished):
    checked = 0
    for table in tables(finished[2]):
        for row in table.rows:
            for head, cell in zip(table.head[1:], row.cells, strict=True):
                ours = cell.value[-1:].isdigit() or cell.value.endswith("%")
                if ours and not row.printed and not head.startswith("paper") and head != "churn":
                    assert cell.spread or table.title == "Hypotheses", (table.title, row.name, head)
                    checked += 1
    assert checked > 150


@pytest.fixture(scope="module")
def written(finished, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    write_study(finished[2], folder)
    return folder


def test_the_pages_show_every_table_and_escape_what_comes_from_outside(finished, written):
    study = finished[2]
    assert sorted(path.name for path in written.iterdir()) == sorted(FILES)
    html, markdown = ((written / f"study.{suffix}").read_text() for suffix in ("html", "md"))
    for table in tables(study):
        assert table.title in html
        assert table.title in markdown
    assert "<b>the extra" not in html
    assert "&lt;b&gt;the extra" in html
    assert "tiny &lt;set&gt;" in html
    assert "\\| really" in markdown
    assert "http://" not in html.replace("http://www.w3.org", "")
    assert html.count("data:image/svg+xml") == 5
    cells = 2 * 7 + 2 * 3 * 5  # groups × distinct peers, groups × cohorts × arms
    for text in (html, markdown):
        assert "zenml pipeline run dml_study -c study.yaml" in text
        assert f"{cells} cells, 0.0" in text


def test_the_configuration_beside_the_page_is_the_study(finished, written):
    content = yaml.safe_load((written / "study.yaml").read_text())
    assert StudyConfig.model_validate(content["parameters"]) == finished[0].config


def test_the_pages_can_be_drawn_again_without_the_cells(finished, written, tmp_path):
    shutil.copy(written / "study.json", tmp_path)
    drawn = CliRunner().invoke(cli.main, ["study", str(tmp_path)])
    assert drawn.exit_code == 0, drawn.output
    assert headline(finished[2]) in drawn.output
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (written / name).read_bytes(), name


def test_what_is_no_study_is_one_sentence(tmp_path):
    absent = CliRunner().invoke(cli.main, ["study", str(tmp_path / "nowhere")])
    assert absent.exit_code == 1
    assert "there is no such file; name the folder of a finished study" in absent.output
    (tmp_path / "study.json").write_text('{"rows": []}')
    with pytest.raises(DataError, match="not the record of a study"):
        read_study(tmp_path / "study.json")


def test_a_record_of_the_first_schema_is_still_drawn(finished):
    study = {key: value for key, value in finished[2].items() if key != "trained"}
    assert "hours of training" not in render_markdown(study)
    assert "hours of training" in render_markdown(finished[2])


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


def with_aucs(start, control, mutual):
    """A record of one cohort and two groups, with the intervals of t(1) = 12.7 by their ends."""

    def row(arm, epoch, aucs):
        groups = [{"auc": value} for value in aucs]
        return {"cohort": "c", "arm": arm, "epoch": epoch, "groups": groups, "vs": {}}

    def versus(one, other):
        gains = [relaimp(a, b) for a, b in zip(one, other, strict=True)]
        half = 12.706 * np.std(gains, ddof=1) / 2**0.5
        mean = float(np.mean(gains))
        return {"relaimp": mean, "low": mean - half, "high": mean + half, "p_holm": 0.5}

    rows = [row("pretrained", 0, start), row("control", 1, control), row("mutual", 1, mutual)]
    rows[1]["vs"] = {"pretrained": versus(control, start)}
    rows[2]["vs"] = {
        "pretrained": versus(mutual, start),
        "control": versus(mutual, control),
        "pretrained_ensemble": versus(mutual, start),
    }
    said = {"lr": 7e-4, "weight": 1.0, "space": "prob"}
    empty = {"lr": None, "weight": None, "space": None}
    return {
        "level": 0.95,
        "groups": 2,
        "rows": rows,
        "arms": [{"name": n, "kind": n, **empty} for n in ("control", "mutual")],
        "cohorts": [{"name": "c", "architectures": ["dcn"] * 4, "finetuning": said}],
        "hypotheses": [],
    }


def test_the_answers_by_hand():
    # RelaImp of .76 over .75 is .26/.25 − 1 = 4 %; of .757 it is 2.8 %, so the epoch is 70 %
    told = dict(answers(with_aucs([0.75, 0.75], [0.757, 0.757], [0.76, 0.76])))
    assert told["One mutual epoch improves pretrained peers"] == "better in c (+4.00 %)"
    added = "The peers add something to the extra epoch (mutual over its control)"
    assert told[added] == "better in c (+1.17 %)"
    (part,) = [answer for claim, answer in told.items() if claim.startswith("How much")]
    assert part == "of the gain 70 % (c)"
    study = with_aucs([0.75, 0.75], [0.757, 0.757], [0.74, 0.74])
    told = dict(answers(study))
    assert told[added].startswith("worse in c")
    (part,) = [answer for claim, answer in told.items() if claim.startswith("How much")]
    assert part == "of the loss −70 % (c)"
    assert headline(study).endswith("; they lose to it in c.")
    torn = with_aucs([0.75, 0.75], [0.75, 0.75], [0.74, 0.77])
    told = dict(answers(torn))
    assert told[added].startswith("undecided in c")
    assert "no clear change in c" in told.values()


def test_a_change_of_two_signs_has_no_parts():
    assert share(np.array([0.1, 0.1]), np.array([0.2, -0.1]), 0.95) is None
    assert share(np.array([0.1, 0.2]), np.array([0.2, 0.4]), 0.95).value == 0.5
    assert share(np.array([-0.1, -0.2]), np.array([-0.2, -0.4]), 0.95).value == 0.5


def test_the_control_is_the_one_at_the_arms_own_rate():
    study = with_aucs([0.75, 0.75], [0.757, 0.757], [0.76, 0.76])
    (only,) = mutuals(study)
    assert only.paper
    assert control_of(study, study["cohorts"][0], "mutual")["arm"] == "control"
    study["arms"][1]["lr"] = 3e-4
    assert control_of(study, study["cohorts"][0], "mutual") is None
    assert not mutuals(study)[0].paper
    assert "decides nothing" in headline(study)
