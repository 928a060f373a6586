"""What the days of each version are compared with."""

from mlflow.tracking import MlflowClient

from mutualctr.data.contract import Contract
from mutualctr.data.drift import check_comparable
from mutualctr.data.snapshot import Snapshot, load_snapshot
from mutualctr.data.source import resolve_source
from mutualctr.errors import RegistryError
from mutualctr.evaluation.drift import ScoreBins
from mutualctr.registry.aliases import find_version
from mutualctr.registry.trained_on import score_bins, training_snapshot


class Known:
    """What each version was trained on, looked up once."""

    def __init__(self, client: MlflowClient, contract: Contract, reference: str | None):
        """reference: a snapshot that stands for that of every version; None asks the registry."""
        self._client, self._contract, self._named = client, contract, reference
        self._found: dict[str, tuple[Snapshot | None, ScoreBins | None]] = {}
        self.cautions: list[str] = []
        """What is not known, in sentences."""

    def of(self, model: str | None) -> tuple[Snapshot | None, ScoreBins | None]:
        """(snapshot, bins of the probabilities); None for what there is not."""
        if model is None:
            return None, None
        if model not in self._found:
            self._found[model] = self._look_up(model)
        return self._found[model]

    def _look_up(self, model: str) -> tuple[Snapshot | None, ScoreBins | None]:
        reference = bins = None
        if self._named is not None:
            reference = load_snapshot(resolve_source(self._named))
        try:
            version = find_version(self._client, model)
            bins = score_bins(version)
            if bins is None:
                self.cautions.append(
                    f"{model} keeps no bins of its probabilities, so their PSI is not known; the "
                    "gate writes them on every version that it judges."
                )
            if reference is None:
                reference = training_snapshot(self._client, version)
        except RegistryError as error:
            self.cautions.append(f"Nothing to compare with: {error}")
        if reference is not None:
            check_comparable(reference, self._contract)
        return reference, bins
