import copy
from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import pytest
from example_report import synthetic_report

from mutualctr.evaluation.curves import learning_figure, peer_figure
from mutualctr.evaluation.figures import (
    COLOUR,
    agreement_figure,
    auc_figure,
    calibration_figure,
    svg_data_uri,
)

report_of = cache(synthetic_report)


def lines(axes, arm):
    return [line for line in axes.lines if line.get_color() == COLOUR[arm]]


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize(
    "draw", [auc_figure, learning_figure, calibration_figure, agreement_figure]
)
def test_same_bytes_each_time_and_no_text_is_cut(draw, groups):
    figure = draw(report_of(groups))
    assert svg_data_uri(figure) == svg_data_uri(draw(report_of(groups)))
    width, height = figure.bbox.size
    box = figure.get_tightbbox().transformed(figure.dpi_scale_trans)
    assert min(box.x0, box.y0) >= -1
    assert box.x1 <= width + 1
    assert box.y1 <= height + 1


def test_gains_are_peers_with_one_group_and_groups_with_several():
    for groups, names in (
        (1, [f"deepfm-{n}" for n in range(4)]),
        (3, ["group 0", "group 1", "group 2"]),
    ):
        axes = auc_figure(report_of(groups)).axes[1]
        assert [label.get_text() for label in axes.get_yticklabels()] == [*names, "mean"]
        over_pretrained = axes.containers[0].lines[0].get_xdata()
        comparison = report_of(groups)["delta_auc"]["mutual_vs_pretrained"]
        assert over_pretrained[-1] == comparison["mean"]
        assert len(over_pretrained) == len(names) + 1


def test_learning_curves_show_each_peer_in_each_arm():
    dev_auc_pretrain, dev_auc_finetune = learning_figure(report_of(1)).axes[:2]
    assert len(lines(dev_auc_pretrain, "pretrained")) == 4
    assert len(lines(dev_auc_finetune, "control")) == len(lines(dev_auc_finetune, "mutual")) == 4


def test_a_peers_figure_has_an_axis_per_quantity_and_leaves_out_what_is_missing():
    report = copy.deepcopy(report_of(1))
    own = [r for r in report["curves"] if r["peer"] == "deepfm-1" and r["arm"] == "control"]
    own[0]["train_loss"] = None
    figure = peer_figure(report, "deepfm-1")
    shown = [axes.get_ylabel() for axes in figure.axes if axes.get_visible()]
    assert shown.count("dev AUC") == shown.count("train loss") == 2
    assert shown.count("mutual loss") == 1  # pretraining has none
    (control,) = lines(figure.axes[1], "control")
    assert list(control.get_xdata()) == [0.5, 0.75, 1.0]


def test_calibration_draws_observed_against_predicted():
    report = report_of(1)
    axes = calibration_figure(report).axes[2]
    points = report["reliability"]["mutual"][3]["points"]
    drawn = lines(axes, "mutual")[3]
    np.testing.assert_array_equal(drawn.get_ydata(), [point["observed"] for point in points])


def test_a_correlation_that_does_not_exist_is_not_drawn():
    report = copy.deepcopy(report_of(1))
    report["agreement"]["mutual"][0]["logit_correlation"] = None
    assert svg_data_uri(agreement_figure(report)) != svg_data_uri(agreement_figure(report_of(1)))


def test_names_are_never_read_as_formulas():
    report = copy.deepcopy(report_of(1))
    for entry in report["delta_auc"]["mutual_vs_control"]["delong"]["per_peer"]:
        entry["peer"] = "$\\broken$"
    svg_data_uri(auc_figure(report))


def test_no_figure_is_left_open():
    svg_data_uri(auc_figure(report_of(1)))
    assert plt.get_fignums() == []
