"""The pulls of the study's arms, by hand and against what they must equal."""

import copy
import math

import pytest
import reference
import torch
from test_loop import assert_same, make
from worlds import block, finetune_config, optimizer_config

from mutualctr.training.losses import mutual_term
from mutualctr.training.teach import Lesson, teach
from mutualctr.training.teaching import (
    FrozenEnsemble,
    Gated,
    Mutual,
    Myself,
    Teacher,
    soft_targets,
    towards,
)

LOGIT_NB = torch.tensor([[0.0, math.log(3)], [math.log(3), 0.0]])  # ½ ¾ and ¾ ½
TEACHER_TB = torch.tensor([[math.log(3), math.log(3)], [-math.log(3), math.log(3)]])  # ¾ ¾ and ¼ ¾


def entropy(target: float, probability: float) -> float:
    return -target * math.log(probability) - (1 - target) * math.log(1 - probability)


def test_the_frozen_ensemble_by_hand():
    # mean probabilities: ½ and ¾
    pull_N = FrozenEnsemble("prob")(LOGIT_NB, TEACHER_TB)
    assert pull_N.tolist() == pytest.approx([0.0, (1 / 16 + 1 / 16) / 2])
    pull_N = FrozenEnsemble("soft_bce")(LOGIT_NB, TEACHER_TB)
    assert pull_N[0].item() == pytest.approx((entropy(0.5, 0.5) + entropy(0.75, 0.75)) / 2)
    # mean logits: 0 and ln 3
    pull_N = FrozenEnsemble("logit")(LOGIT_NB, TEACHER_TB)
    assert pull_N.tolist() == pytest.approx([0.0, math.log(3) ** 2])


def test_myself_by_hand():
    pull_N = Myself("prob")(LOGIT_NB, TEACHER_TB)
    assert pull_N.tolist() == pytest.approx([(1 / 16 + 0) / 2, (1 / 4 + 1 / 16) / 2])


def test_the_teacher_by_hand():
    pull_N = Teacher(chosen=1, temperature=1.0)(LOGIT_NB, TEACHER_TB)
    by_hand = (entropy(0.25, 0.5) + entropy(0.75, 0.75)) / 2
    assert pull_N[0].item() == pytest.approx(by_hand)
    # τ = ½ doubles every logit: odds 3 become 9
    pull_N = soft_targets(LOGIT_NB, TEACHER_TB[1], 0.5)
    by_hand = 0.25 * (entropy(0.1, 0.5) + entropy(0.9, 0.9)) / 2
    assert pull_N[0].item() == pytest.approx(by_hand)


def test_an_untrained_gate_is_the_mean_over_teachers():
    gate = Gated(peers=2, teachers=2, temperature=2.0)
    mean_N = torch.stack([soft_targets(LOGIT_NB, t_B, 2.0) for t_B in TEACHER_TB]).mean(dim=0)
    assert torch.allclose(gate(LOGIT_NB, TEACHER_TB), mean_N)


def test_a_gate_learns_to_prefer_the_teacher_that_is_near():
    gate = Gated(peers=1, teachers=2, temperature=1.0)
    optimizer = torch.optim.SGD(gate.parameters(), lr=1.0)
    logit_NB = TEACHER_TB[:1] * 0.9
    for _ in range(50):
        optimizer.zero_grad()
        gate(logit_NB, TEACHER_TB).sum().backward()
        optimizer.step()
    share_TB = (gate.weight[0] @ TEACHER_TB + gate.bias[0]).softmax(dim=0)
    assert share_TB[0, 0] > 0.8  # on row 0 the teachers differ, and teacher 0 is the near one


def test_mutual_is_the_papers_term():
    assert torch.equal(Mutual("prob")(LOGIT_NB, None), mutual_term(LOGIT_NB, "prob")[0])


@pytest.mark.parametrize("space", ["prob", "logit", "soft_bce"])
def test_targets_are_constants(space):
    teacher_TB = TEACHER_TB.clone().requires_grad_()
    logit_NB = LOGIT_NB.clone().requires_grad_()
    FrozenEnsemble(space)(logit_NB, teacher_TB).sum().backward()
    assert teacher_TB.grad is None
    assert logit_NB.grad.abs().sum() > 0


def test_towards_a_target_of_its_own_per_peer_or_one_for_all():
    target_B = torch.tensor([0.5, 0.75])
    both = towards(LOGIT_NB, target_B, "prob"), towards(LOGIT_NB, target_B.expand(2, 2), "prob")
    assert torch.equal(*both)


def test_teaching_adds_what_a_model_adds_itself():
    config = finetune_config()
    ours = [make(name, seed) for seed, name in enumerate(("dien", "deepfm"))]
    slow = copy.deepcopy(ours)
    lesson = Lesson(1, config.lr, config.seed, config.weight, Mutual(config.space), None, None)
    teach(ours, block(500, 1), optimizer_config(), lesson, lambda epoch: None)
    reference.finetune(slow, block(500, 1), optimizer_config(), config, config.weight)
    for one, other in zip(ours, slow, strict=True):
        assert_same(one, other, 1e-10)
