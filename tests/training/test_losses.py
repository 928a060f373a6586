"""Equations 1 to 3 by hand, then the fast form against the naive one."""

import math

import pytest
import torch

from mutualctr.training.losses import bce, mse, mutual_term

SPACES = ("prob", "logit", "soft_bce")


def logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def test_bce_by_hand():
    # y = 1, p = ½: −ln ½ = .693147; y = 0, p = ¼: −ln ¾ = .287682; the mean is .490415
    loss = bce(torch.tensor([1.0, 0.0]), torch.tensor([0.0, logit(0.25)]))
    assert loss.item() == pytest.approx(0.490415, abs=1e-6)


def test_bce_of_several_peers_keeps_them_apart():
    label_B = torch.tensor([1.0, 0.0])
    logit_NB = torch.tensor([[0.3, -1.0], [2.0, 0.5]])
    alone_N = torch.stack([bce(label_B, logit_B) for logit_B in logit_NB])
    assert torch.equal(bce(label_B, logit_NB), alone_N)


def test_bce_stays_finite_where_the_probability_rounds_to_one():
    # −ln σ(−1000) = 1000
    assert bce(torch.tensor([0.0]), torch.tensor([1000.0])).item() == pytest.approx(1000.0)


def test_mse_by_hand():
    # ((.5 − .1)² + (.2 − .2)²) / 2 = .08
    assert mse(torch.tensor([0.5, 0.2]), torch.tensor([0.1, 0.2])).item() == pytest.approx(0.08)


def test_mutual_term_of_three_peers_by_hand():
    # one row, p = .2, .4, .9. Eq. 3 for peer 0: ((.4 − .2)² + (.9 − .2)²) / 2 = .265;
    # peer 1: ((.2 − .4)² + (.9 − .4)²) / 2 = .145; peer 2: (.49 + .25) / 2 = .37
    logit_NB = torch.tensor([[logit(0.2)], [logit(0.4)], [logit(0.9)]], dtype=torch.float64)
    loss_N, pairwise_N = mutual_term(logit_NB, "prob")
    assert pairwise_N.tolist() == pytest.approx([0.265, 0.145, 0.37])
    # against the mean of the others: (.65 − .2)² = .2025, (.55 − .4)² = .0225, (.3 − .9)² = .36
    assert loss_N.tolist() == pytest.approx([0.2025, 0.0225, 0.36])


def pairwise(logit_NB: torch.Tensor, space: str, detach: bool) -> torch.Tensor:
    """Equation 3 as printed: a double loop over peers."""
    losses = []
    for n, own_B in enumerate(logit_NB):
        terms = []
        for i, peer_B in enumerate(logit_NB):
            if i == n:
                continue
            peer_B = peer_B.detach() if detach else peer_B
            if space == "logit":
                terms.append((peer_B - own_B).square().mean())
            elif space == "prob":
                terms.append((peer_B.sigmoid() - own_B.sigmoid()).square().mean())
            else:
                target_B, p_B = peer_B.sigmoid(), own_B.sigmoid()
                terms.append(-(target_B * p_B.log() + (1 - target_B) * (1 - p_B).log()).mean())
        losses.append(sum(terms) / len(terms))
    return torch.stack(losses)


def random_logits(peers: int = 4, rows: int = 200) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randn(peers, rows, generator=generator, dtype=torch.float64, requires_grad=True)


def gradient(loss_N: torch.Tensor, logit_NB: torch.Tensor) -> torch.Tensor:
    (gradient_NB,) = torch.autograd.grad(loss_N.sum(), logit_NB)
    return gradient_NB


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("peers", [2, 3, 5])
def test_leave_one_out_has_the_gradient_and_the_value_of_the_pairwise_form(space, peers):
    logit_NB = random_logits(peers)
    loss_N, pairwise_N = mutual_term(logit_NB, space)
    naive_N = pairwise(logit_NB, space, detach=True)
    assert torch.allclose(pairwise_N, naive_N, rtol=0, atol=1e-12)
    difference = gradient(loss_N, logit_NB) - gradient(naive_N, logit_NB)
    assert difference.abs().max().item() < 1e-12


@pytest.mark.parametrize("space", ["prob", "logit"])
def test_not_detaching_is_exactly_weight_two(space):
    logit_NB = random_logits()
    detached = gradient(pairwise(logit_NB, space, detach=True), logit_NB)
    joint = gradient(pairwise(logit_NB, space, detach=False), logit_NB)
    ratio = (joint / detached).flatten()
    assert torch.allclose(ratio, torch.full_like(ratio, 2.0), rtol=1e-9, atol=0)
    ours = gradient(mutual_term(logit_NB, space)[0], logit_NB)
    assert torch.allclose(2 * ours, joint, rtol=1e-9, atol=1e-15)


def test_peers_are_constants_to_each_other():
    logit_NB = random_logits()
    loss_N, _ = mutual_term(logit_NB, "soft_bce")
    (gradient_NB,) = torch.autograd.grad(loss_N[0], logit_NB)
    assert gradient_NB[0].abs().min() > 0
    assert torch.equal(gradient_NB[1:], torch.zeros_like(gradient_NB[1:]))


def test_a_mutual_term_needs_two_peers():
    with pytest.raises(AssertionError, match="two peers"):
        mutual_term(torch.zeros(1, 3), "prob")
