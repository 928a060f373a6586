"""Wide & Deep against hand arithmetic. The table is 2 fields × 2 dims and a first-order column."""

import torch

from models.widedeep import WideDeep


def test_logit_by_hand():
    # v_1 = (1, 2), w_1 = .5      v_2 = (3, −1), w_2 = .25      b = .1
    # wide .5 + .25 = .75      deep relu(1 + 2 + 3 − 1 − 4) = 1, times 2      .1 + .75 + 2 = 2.85
    model = WideDeep(num_ids=2, num_fields=2, embedding_dim=2, hidden=(1,), dropout=0.0)
    model.load_state_dict(
        {
            "embedding.weight": torch.tensor([[1.0, 2.0, 0.5], [3.0, -1.0, 0.25]]),
            "bias": torch.tensor([0.1]),
            "mlp.layers.0.weight": torch.ones(1, 4),
            "mlp.layers.0.bias": torch.tensor([-4.0]),
            "head.weight": torch.tensor([[2.0]]),
        }
    )
    torch.testing.assert_close(model(torch.tensor([[0, 1]])), torch.tensor([2.85]))
