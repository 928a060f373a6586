"""A contestant of bench_train.py: another library's own loop, fed ready batches from memory.

Runs in the environment that has the libraries (make bench-train builds it). Their readers go row
by row through Python; here all of them get whole batches cut beforehand, which is kind to them.

FuxiCTR 2.3.10: its wheel has no models, so they are joined from its layers as
    model_zoo/{DeepFM,DCN/DCN_torch,PNN,FiBiNET}/src in reczoo/FuxiCTR do.
DeepCTR-Torch 0.3.0, torch-rechub 0.9.0: their own models.

½·λ·‖W‖² beside the mean loss is said in three ways: FuxiCTR λ; DeepCTR-Torch, whose loss is a sum
over the batch and whose penalty is λ·‖W‖², ½·λ·batch; torch-rechub Adam's weight_decay λ.
"""

import json
import os
import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import nn
from train_slices import Turns, finish


def main() -> None:
    task = json.loads(sys.argv[1])
    sys.stdout = open(os.devnull, "w")
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    torch.manual_seed(task["seed"])
    folder = Path(task["folder"])
    sizes = np.load(folder / "sizes.npy").tolist()
    ids_RF, label_R = np.load(folder / "ids.npy"), np.load(folder / "label.npy")
    order_R = np.random.default_rng(task["seed"]).permutation(task["train_rows"])
    train = ids_RF[order_R], label_R[order_R]
    test = ids_RF[-task["test_rows"] :], label_R[-task["test_rows"] :]
    contestant = {"fuxictr": fuxictr, "deepctr_torch": deepctr, "torch_rechub": rechub}
    turns = Turns(task["train_rows"] // task["batch_rows"], task["slice"])
    train_epoch, predict = contestant[task["library"]](task, sizes, turns)
    train_epoch(*train)
    probability_R = np.concatenate(
        [predict(test[0][start : start + 2000]) for start in range(0, len(test[0]), 2000)]
    )
    finish(auc=roc_auc_score(test[1], probability_R.ravel()))


class Batches(list):
    """Batches with a length, iterated in turns."""

    def __init__(self, batches, turns, optimizer, lr):
        super().__init__(batches)
        self._through = lambda: turns.through(list(self[:]), optimizer, lr)

    def __iter__(self):
        return self._through()


def starts(task):
    return range(0, task["train_rows"], task["batch_rows"])


def fuxictr(task, sizes, turns):
    from fuxictr.features import FeatureMap
    from fuxictr.pytorch import layers
    from fuxictr.pytorch.models import BaseModel

    dim, hidden, fields = task["dim"], task["hidden"], len(sizes)
    described = FeatureMap("clicks", data_dir="")
    described.num_fields, described.labels = fields, ["click"]
    described.features = OrderedDict(
        (f"f{f}", {"type": "categorical", "vocab_size": size, "source": ""})
        for f, size in enumerate(sizes)
    )

    class Model(BaseModel):
        def __init__(self):
            super().__init__(
                described,
                embedding_regularizer=task["l2_embedding"],
                net_regularizer=task["l2_mlp"],
                verbose=0,
                model_root=str(Path(task["folder"]) / "fuxictr"),
                metrics=["AUC"],
            )
            self.embedding_layer = layers.FeatureEmbedding(described, dim)
            self.parts()
            self.compile("adam", "binary_crossentropy", task["lr"])
            self.reset_parameters()
            self.model_to_device()

        def forward(self, inputs):
            logit = self.logit(self.get_inputs(inputs))
            return {"y_pred": self.output_activation(logit)}

    class DeepFM(Model):
        def parts(self):
            self.fm = layers.FactorizationMachine(described)
            self.mlp = layers.MLP_Block(fields * dim, hidden, output_dim=1)

        def logit(self, x):
            emb = self.embedding_layer(x)
            return self.fm(x, emb) + self.mlp(emb.flatten(start_dim=1))

    class DCN(Model):
        def parts(self):
            self.mlp = layers.MLP_Block(fields * dim, hidden, output_dim=None)
            self.crossnet = layers.CrossNet(fields * dim, 3)
            self.fc = nn.Linear(fields * dim + hidden[-1], 1)

        def logit(self, x):
            emb = self.embedding_layer(x, flatten_emb=True)
            return self.fc(torch.cat([self.crossnet(emb), self.mlp(emb)], dim=-1))

    class PNN(Model):
        def parts(self):
            self.inner = layers.InnerProductInteraction(fields, output="inner_product")
            width = fields * (fields - 1) // 2 + fields * dim
            self.mlp = layers.MLP_Block(width, hidden, output_dim=1)

        def logit(self, x):
            emb = self.embedding_layer(x)
            return self.mlp(torch.cat([emb.flatten(start_dim=1), self.inner(emb)], dim=1))

    class FiBiNET(Model):
        def parts(self):
            self.lr_layer = layers.LogisticRegression(described, use_bias=False)
            self.senet = layers.SqueezeExcitation(fields, 3, "ReLU")
            self.one = layers.BilinearInteractionV2(fields, dim, "field_interaction")
            self.two = layers.BilinearInteractionV2(fields, dim, "field_interaction")
            self.mlp = layers.MLP_Block(fields * (fields - 1) * dim, hidden, output_dim=1)

        def logit(self, x):
            emb = self.embedding_layer(x)
            pairs = torch.cat([self.one(emb), self.two(self.senet(emb))], dim=1)
            return self.lr_layer(x) + self.mlp(pairs.flatten(start_dim=1))

    model = {"deepfm": DeepFM, "dcn": DCN, "pnn": PNN, "fibinet": FiBiNET}[task["model"]]()

    def inputs(ids, label):
        columns = {f"f{f}": torch.from_numpy(ids[:, f].astype(np.int64)) for f in range(fields)}
        return columns | {"click": torch.from_numpy(label)}

    def train_epoch(ids, label):
        batches = [
            inputs(ids[s : s + task["batch_rows"]], label[s : s + task["batch_rows"]])
            for s in starts(task)
        ]
        model._max_gradient_norm, model._total_steps, model._batch_index = 10.0, 0, 0
        model._epoch_index, model._eval_steps, model._stop_training = 0, len(batches) + 1, False
        model._steps_per_epoch = len(batches)
        model.train_epoch(Batches(batches, turns, model.optimizer, task["lr"]))

    @torch.no_grad()
    def predict(ids):
        model.eval()
        return model(inputs(ids, np.zeros(len(ids), np.uint8)))["y_pred"].numpy()

    return train_epoch, predict


def deepctr(task, sizes, turns):
    import deepctr_torch.models as zoo
    import deepctr_torch.models.basemodel as base
    from deepctr_torch.inputs import SparseFeat

    columns = [
        SparseFeat(f"f{f}", vocabulary_size=size, embedding_dim=task["dim"])
        for f, size in enumerate(sizes)
    ]
    embedding = 0.5 * task["l2_embedding"] * task["batch_rows"]
    dense = 0.5 * task["l2_mlp"] * task["batch_rows"]
    common = {
        "dnn_hidden_units": tuple(task["hidden"]),
        "l2_reg_embedding": embedding,
        "l2_reg_dnn": dense,
        "device": "cpu",
        "seed": task["seed"],
    }
    if task["model"] == "deepfm":
        model = zoo.DeepFM(columns, columns, l2_reg_linear=embedding, **common)
    elif task["model"] == "dcn":
        # Its DCN adds a linear logit over the columns given first; the paper has none.
        model = zoo.DCN([], columns, cross_num=3, l2_reg_cross=dense, **common)
    elif task["model"] == "pnn":
        model = zoo.PNN(columns, use_inner=True, use_outter=False, **common)
    else:
        model = zoo.FiBiNET(
            columns, columns, bilinear_type="interaction", l2_reg_linear=embedding, **common
        )
    model.compile(torch.optim.Adam(model.parameters(), task["lr"]), "binary_crossentropy")

    def loader(dataset, shuffle, batch_size):
        x, y = (tensor for tensor in dataset.tensors)
        batches = [(x[s : s + batch_size], y[s : s + batch_size]) for s in starts(task)]
        return Batches(batches, turns, model.optim, task["lr"])

    def train_epoch(ids, label):
        base.DataLoader = loader
        named = {f"f{f}": ids[:, f] for f in range(len(sizes))}
        model.fit(named, label, batch_size=task["batch_rows"], epochs=1, verbose=0)

    @torch.no_grad()
    def predict(ids):
        model.eval()
        return model(torch.from_numpy(ids).float()).numpy()

    return train_epoch, predict


def rechub(task, sizes, turns):
    from torch_rechub.basic.features import SparseFeature
    from torch_rechub.models import ranking
    from torch_rechub.trainers import CTRTrainer

    features = [
        SparseFeature(f"f{f}", vocab_size=size, embed_dim=task["dim"])
        for f, size in enumerate(sizes)
    ]
    mlp = {"dims": list(task["hidden"]), "activation": "relu", "dropout": 0.0}
    if task["model"] == "deepfm":
        model = ranking.DeepFM(features, features, mlp)
    elif task["model"] == "dcn":
        model = ranking.DCN(features, 3, mlp)
    else:
        model = ranking.FiBiNet(features, mlp, bilinear_type="field_interaction")
    trainer = CTRTrainer(
        model,
        optimizer_params={"lr": task["lr"], "weight_decay": task["l2_embedding"]},
        n_epoch=1,
        model_path=task["folder"],
    )

    def inputs(ids):
        return {f"f{f}": torch.from_numpy(ids[:, f].astype(np.int64)) for f in range(len(sizes))}

    def train_epoch(ids, label):
        batches = [
            (
                inputs(ids[s : s + task["batch_rows"]]),
                torch.from_numpy(label[s : s + task["batch_rows"]]),
            )
            for s in starts(task)
        ]
        trainer.train_one_epoch(Batches(batches, turns, trainer.optimizer, task["lr"]))

    @torch.no_grad()
    def predict(ids):
        model.eval()
        return model(inputs(ids)).numpy()

    return train_epoch, predict


if __name__ == "__main__":
    main()
