"""Every measure of one run, taken once: what the parts of a report are read from."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

import numpy as np

from mutualctr.evaluation.agreement import agreement
from mutualctr.evaluation.auc import auc, relaimp
from mutualctr.evaluation.calibration import ReliabilityPoint, ece, logloss, pcoc, reliability
from mutualctr.evaluation.ensemble import mean_probability
from mutualctr.evaluation.scored import ARMS, Arm, Peer, Scored
from mutualctr.evaluation.significance import delong, group_interval

LEVEL = 0.95


class Measured:
    """Peers, each scored once per arm on the same rows, and their AUCs with covariances.

    Every group has as many peers, at least two, so that a mean over groups is a mean over peers.
    Each method returns one part of the report, peers by group in the order they were given.
    Shapes: label_B 0 or 1 in the order of each probability_B.
    """

    def __init__(self, scored: Sequence[Scored], label_B: np.ndarray):
        self.label_B = label_B
        self.probability = {(entry.peer, entry.arm): entry.probability_B for entry in scored}
        self.peers = sorted(
            dict.fromkeys(entry.peer for entry in scored), key=lambda peer: peer.group
        )
        self.groups = [
            [peer for peer in self.peers if peer.group == group]
            for group in sorted({peer.group for peer in self.peers})
        ]
        assert len(self.probability) == len(scored), "a peer was scored twice after one arm"
        self._assert_complete()
        self.delongs = [
            delong(label_B, [self.probability[peer, arm] for arm in ARMS for peer in group])
            for group in self.groups
        ]
        self.auc = {
            (peer, arm): float(auc_AN[a, n])
            for group, measured in zip(self.groups, self.delongs, strict=True)
            for auc_AN in [measured.auc_K.reshape(len(ARMS), len(group))]
            for a, arm in enumerate(ARMS)
            for n, peer in enumerate(group)
        }
        self.points = {
            key: reliability(label_B, probability_B)
            for key, probability_B in self.probability.items()
        }

    def _assert_complete(self) -> None:
        names = [peer.name for peer in self.peers]
        assert len(set(names)) == len(names), f"peer names repeat: {names}"
        sizes = {len(group) for group in self.groups}
        assert len(sizes) == 1, f"groups differ in size: {sizes}"
        assert min(sizes) >= 2, "mutual learning needs two peers in a group"
        missing = {(peer, arm) for peer in self.peers for arm in ARMS} - set(self.probability)
        assert not missing, f"not scored: {missing}"
        rows = {len(probability_B) for probability_B in self.probability.values()}
        assert rows == {len(self.label_B)}, f"rows of scores {rows}, labels {len(self.label_B)}"

    def arm(self, arm: Arm) -> list[dict]:
        """Each peer's measures; RelaImp against the same peer pretrained."""
        return [
            {"peer": peer.name, "architecture": peer.architecture, "seed": peer.seed}
            | self._measures(
                self.auc[peer, arm],
                self.probability[peer, arm],
                self.points[peer, arm],
                self.auc[peer, "pretrained"],
            )
            for peer in self.peers
        ]

    def ensembles(self, arm: Arm) -> list[dict]:
        """Each group's averaged probability; RelaImp against its mean pretrained peer."""
        entries = []
        for group, probability_NB in self._stacked(arm):
            mean_B = mean_probability(probability_NB)
            measures = self._measures(
                auc(self.label_B, mean_B),
                mean_B,
                reliability(self.label_B, mean_B),
                self._mean_auc(group, "pretrained"),
            )
            entries.append({"group": group[0].group} | measures)
        return entries

    def agreement(self, arm: Arm) -> list[dict]:
        """How alike each group's peers are."""
        return [
            {"group": group[0].group} | asdict(agreement(self.label_B, probability_NB))
            for group, probability_NB in self._stacked(arm)
        ]

    def reliability(self, arm: Arm) -> list[dict]:
        """Each peer's reliability curve."""
        return [
            {"peer": peer.name, "points": [asdict(point) for point in self.points[peer, arm]]}
            for peer in self.peers
        ]

    def comparison(self, arm: Arm, base: Arm) -> dict:
        """The gain in AUC of an arm over another: per peer, per group, over all groups.

        Two things vary, so there are two intervals: DeLong's over test rows within a group, and
        Student's over groups, which is None where there is one group.
        """
        sign_A = np.array([(a == arm) - float(a == base) for a in ARMS])
        per_peer, per_group = [], []
        for group, measured in zip(self.groups, self.delongs, strict=True):
            one_NN = np.eye(len(group))
            for peer, one_N in zip(group, one_NN, strict=True):
                interval = measured.interval(np.kron(sign_A, one_N), LEVEL)
                per_peer.append({"peer": peer.name, "group": peer.group} | asdict(interval))
            interval = measured.interval(np.kron(sign_A, one_NN.mean(axis=0)), LEVEL)
            per_group.append({"group": group[0].group} | asdict(interval))
        deltas = [entry["delta"] for entry in per_group]
        spread = group_interval(deltas, LEVEL) if len(deltas) > 1 else None
        return {
            "mean": np.mean(deltas),
            "relaimp": self._relaimp(self.peers, arm, base),
            "level": LEVEL,
            "delong": {"per_peer": per_peer, "per_group": per_group},
            "groups": {
                "n": len(deltas),
                "deltas": deltas,
                "relaimps": [self._relaimp(group, arm, base) for group in self.groups],
                "mean": np.mean(deltas),
                "low": spread.low if spread else None,
                "high": spread.high if spread else None,
            },
        }

    def _measures(
        self, value: float, probability_B: np.ndarray, points: list[ReliabilityPoint], base: float
    ) -> dict:
        return {
            "auc": value,
            "logloss": logloss(self.label_B, probability_B),
            "pcoc": pcoc(self.label_B, probability_B),
            "ece": ece(points),
            "relaimp": relaimp(value, base),
        }

    def _stacked(self, arm: Arm) -> Iterator[tuple[list[Peer], np.ndarray]]:
        for group in self.groups:
            yield group, np.stack([self.probability[peer, arm] for peer in group])

    def _mean_auc(self, peers: list[Peer], arm: Arm) -> float:
        return float(np.mean([self.auc[peer, arm] for peer in peers]))

    def _relaimp(self, peers: list[Peer], arm: Arm, base: Arm) -> float:
        return relaimp(self._mean_auc(peers, arm), self._mean_auc(peers, base))
