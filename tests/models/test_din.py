"""DIN's attention against hand arithmetic and the loop over places."""

import torch

from models import din
from models.din import DIN, TargetAttention
from models.sequence import Sequence, Unfolded


def test_logit_by_hand(monkeypatch):
    # one dim; user 1, target v = 2, items 3 and −1 behind one place of padding
    # e = 3:  (v, e, v − e, v e) = (2, 3, −1, 6), summed − 4 = 6;      a = 6 + .5 = 6.5
    # e = −1: (2, −1, 3, −2), summed − 4 = −2, slope .25: −.5;         a = −.5 + .5 = 0
    # u = 6.5 · 3 + 0 · (−1) = 19.5;  deep 1 + 2 + 19.5 = 22.5, times 2, plus .5 = 45.5
    monkeypatch.setattr(din, "UNITS", 1)
    model = DIN(
        num_ids=5,
        num_fields=5,
        embedding_dim=1,
        hidden=(1,),
        dropout=0.0,
        sequences=(Sequence(start=2, length=3, target=1, padding_id=1),),
    )
    model.load_state_dict(
        {
            "embedding.weight": torch.tensor([[1.0], [0.0], [2.0], [3.0], [-1.0]]),
            "bias": torch.tensor([0.5]),
            "attention.0.hidden.weight": torch.ones(1, 4),
            "attention.0.hidden.bias": torch.tensor([-4.0]),
            "attention.0.slope": torch.tensor([0.25]),
            "attention.0.out.weight": torch.tensor([[1.0]]),
            "attention.0.out.bias": torch.tensor([0.5]),
            "mlp.layers.0.weight": torch.ones(1, 3),
            "mlp.layers.0.bias": torch.zeros(1),
            "head.weight": torch.tensor([[2.0]]),
        }
    )
    assert model(torch.tensor([[0, 2, 1, 3, 4]])).tolist() == [45.5]


def test_attention_equals_the_loop_over_places():
    torch.manual_seed(0)
    attend = TargetAttention(3).double()
    target_BD = torch.randn(4, 3, dtype=torch.float64)
    items_BTD = torch.randn(4, 5, 3, dtype=torch.float64)
    present_BT = torch.rand(4, 5) < 0.6
    naive_BD = torch.zeros(4, 3, dtype=torch.float64)
    for row in range(4):
        for place in range(5):
            if present_BT[row, place]:
                v, e = target_BD[row], items_BTD[row, place]
                unit = attend.hidden(torch.cat([v, e, v - e, v * e]))
                weight = attend.out(torch.nn.functional.prelu(unit[None], attend.slope)[0])
                naive_BD[row] += weight * e
    torch.testing.assert_close(attend(Unfolded(target_BD, items_BTD, present_BT)), naive_BD)
