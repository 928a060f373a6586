"""The whole configuration of a run: closed, frozen, units in the names.

It is what stands under `parameters:` in zenml_config.yaml and configs/*.yaml. Every file there is
complete: nothing has a default here except where leaving it out says something (`null`).
"""

from typing import Any, Literal

from pydantic import Field, model_validator

from models.registry import ARCHITECTURES, options_of
from mutualctr.closed import Closed, nearest
from mutualctr.data.postgres import holds_password

GENERATED_CONTRACT = "criteo"


EngineName = Literal["local", "spark"]


class Generated(Closed):
    """Clicks generated in the shape of the contract, for machines without data."""

    rows: int = Field(ge=1000)
    seed: int


class WindowConfig(Closed):
    """How much of a folder of daily partitions a run reads."""

    days: int = Field(ge=1)
    """The newest partition's day and the days before it, this many together."""


class DataConfig(Closed):
    """Where the clicks come from and which contract they keep."""

    contract: str
    """Name of a file in data_contracts/ (without .yaml)."""
    source: str | None = None
    """A file, a folder, a glob pattern or an address (s3://, gs://, postgresql://).

    Paths are absolute, or relative to $MUTUALCTR_DATA (else ../shared/data).
    """
    generated: Generated | None = None
    """Instead of a source."""
    window: WindowConfig | None = None
    """The newest days of a folder or pattern of daily files; null reads all of them."""
    feature_set: str | None = None
    """A named alternative set of features in the contract; null takes the contract's own."""
    quarantine_percent: float | None = Field(default=None, gt=0, le=100)
    """Share of the rows that may be set aside instead of stopping the run; null: none."""
    reference: str | None = None
    """Snapshot of an earlier run (its validation's snapshot.json) to measure drift against."""
    memory_mb: int | None = Field(default=None, ge=64)
    """Bounds what ingest holds of rows that wait to be written; null: 65,536 rows at a time."""
    engine: EngineName = "local"
    """Who goes over the rows: this machine, or the Spark that this machine is set up for."""

    @model_validator(mode="after")
    def _one_origin(self) -> "DataConfig":
        if (self.source is None) == (self.generated is None):
            raise ValueError(
                "give either `source` (a file) or `generated` (rows and seed), not both."
            )
        if self.source is not None and holds_password(self.source):
            raise ValueError(
                "`source` holds a password; take it out and set PGPASSWORD or ~/.pgpass."
            )
        if self.generated is not None and self.contract != GENERATED_CONTRACT:
            raise ValueError(
                f"generated clicks have the shape of `{GENERATED_CONTRACT}`, not of "
                f"`{self.contract}`; give a `source` file instead."
            )
        return self


class SplitFile(Closed):
    """One part that was published as a file of its own."""

    path: str
    """Absolute, or relative to the data folder, as in `source`."""
    md5: str = Field(pattern="^[0-9a-f]{32}$")


class SplitFiles(Closed):
    """The three of them; `source` names the folder that holds them and no other file."""

    train: SplitFile
    dev: SplitFile
    test: SplitFile


class SplitConfig(Closed):
    """Train 80 %, dev 10 %, test 10 % of the rows, or three given files."""

    by: Literal["random", "hash", "time", "files"]
    seed: int | None = None
    """Of the random permutation; null for every other split."""
    id: str | None = None
    """For `hash`: the column that names a row; null takes the number of the row."""
    gap: int | None = Field(default=None, ge=1)
    """For `time`: rows of different parts lie more than this apart, in the units of the contract's
    time (rows, where the file is in time order); null leaves no gap."""
    files: SplitFiles | None = None
    """For `files`."""

    @model_validator(mode="after")
    def _keys_of_its_kind(self) -> "SplitConfig":
        needed = {"random": "seed", "files": "files"}.get(self.by)
        if needed is not None and getattr(self, needed) is None:
            raise ValueError(f"a split by {self.by} needs `{needed}`.")
        for key, kind in {"seed": "random", "id": "hash", "gap": "time", "files": "files"}.items():
            if self.by != kind and getattr(self, key) is not None:
                raise ValueError(f"`{key}` belongs to a split by {kind}, not by {self.by}.")
        return self


class FeatureConfig(Closed):
    min_count: int = Field(ge=1)
    """A token seen fewer times than this in train shares the id `rare`."""


class NetworkConfig(Closed):
    """What all architectures have in common."""

    embedding_dim: int = Field(ge=1)
    hidden: tuple[int, ...] = Field(min_length=1)
    dropout: float = Field(ge=0, lt=1)


class PeerConfig(Closed):
    """One peer of the cohort: an architecture, the seed of its initialisation and row order."""

    architecture: str
    seed: int = Field(ge=0)
    options: dict[str, Any] = Field(default_factory=dict)
    """The architecture's own options, such as `product: outer` for pnn."""

    @model_validator(mode="after")
    def _known(self) -> "PeerConfig":
        if self.architecture not in ARCHITECTURES:
            known = list(ARCHITECTURES)
            raise ValueError(
                f"`{self.architecture}` is not a known architecture; "
                f"{nearest(self.architecture, known)}"
            )
        allowed = options_of(self.architecture)
        for name, value in self.options.items():
            if name in allowed and not allowed[name].accepts(value):
                raise ValueError(
                    f"option `{name}` of {self.architecture} is {value!r}; "
                    f"it takes {allowed[name].rule}."
                )
            if name not in allowed:
                raise ValueError(
                    f"`{name}` is not an option of {self.architecture}; "
                    f"{nearest(name, list(allowed)) if allowed else 'it has none.'}"
                )
        return self


class OptimizerConfig(Closed):
    """Adam and the L2 penalty ½·λ·‖W‖² beside the mean cross-entropy, shared by all phases."""

    batch_rows: int = Field(ge=2)
    l2_embedding: float = Field(ge=0)
    l2_mlp: float = Field(ge=0)
    l2_scope: Literal["full", "touched"]
    """`full`: every row of the table decays each step; `touched`: only the batch's rows move."""
    precision: Literal["auto", "fp32", "bf16"]
    """Of the large matrix products; weights and sums are fp32 always. `auto`: bf16 where faster."""


class PretrainConfig(Closed):
    epochs: int = Field(ge=1)
    """The epoch with the best dev AUC is kept."""
    lr: float = Field(gt=0)
    """Learning rate at t = 0; falls as 10^(−t/3), t in epochs."""


class CohortPretrainConfig(PretrainConfig):
    """The same for all peers of a run: pretraining, and what its weights begin with."""

    start: Literal["fresh", "champion"]
    """`champion`: those of the same peer in the cohort that the serving version comes from."""
    together: bool
    """One step trains a whole cohort in one pass over the rows, or every peer has a step and a
    cache entry of its own. Weights do not depend on it."""

    def of_a_peer(self) -> PretrainConfig:
        """What a peer's weights depend on, once the first ones are known."""
        return PretrainConfig(epochs=self.epochs, lr=self.lr)


class FinetuneConfig(Closed):
    """The one mutual epoch; the control arm is the same epoch with weight 0."""

    lr: float = Field(gt=0)
    weight: float = Field(ge=0)
    """w in L_n = BCE(y, p_n) + w · mean over peers of the mutual term; the paper's is 1."""
    space: Literal["prob", "logit", "soft_bce"]
    seed: int = Field(ge=0)
    """Order of the rows, the same for all peers and for both arms."""


class SnapshotConfig(Closed):
    """What a killed training goes on from; beside this, every epoch's end is kept."""

    every_steps: int = Field(ge=1)


class RegistryConfig(Closed):
    prefix: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    """Every peer is a version of <prefix>-<architecture>; the one that serves, of <prefix>."""


class Bounds(Closed):
    """From `low` to `high`, both allowed."""

    low: float
    high: float

    @model_validator(mode="after")
    def _in_order(self) -> "Bounds":
        if self.low > self.high:
            raise ValueError(f"`low` ({self.low:g}) is above `high` ({self.high:g}); swap them.")
        return self


class LatencyConfig(Closed):
    """How long predicting raw rows through the registered artifact may take, in milliseconds."""

    rows: int = Field(ge=1)
    """Rows of one call."""
    calls: int = Field(ge=10)
    p50_ms_at_most: float = Field(gt=0)
    p99_ms_at_most: float = Field(gt=0)


class SmokeConfig(Closed):
    """The artifact, loaded in a process of its own, against the engine's probabilities."""

    rows: int = Field(ge=1)
    tolerance: float = Field(gt=0)
    """Largest difference of a probability."""


class PromotionConfig(Closed):
    """Which peer serves, and what it must show before it does."""

    choose: Literal["best", "cheapest_within"]
    """Among the mutual peers: the best dev AUC, or the fastest within `tolerance` of it."""
    tolerance: float = Field(ge=0)
    embeddings: Literal["fp32", "bf16", "int8"]
    """How the served table is kept."""
    auc_at_least: float = Field(ge=0, le=1)
    level: float = Field(gt=0, lt=1)
    auc_gain_at_least: float
    """The lower end of the paired interval of AUC(challenger) − AUC(champion)."""
    logloss_rise_at_most: float
    """logloss(challenger) − logloss(champion), in nats."""
    psi_at_most: float = Field(gt=0)
    """Population stability index of the challenger's probabilities against the champion's."""
    pcoc: Bounds
    """Predicted clicks over observed clicks."""
    latency: LatencyConfig
    smoke: SmokeConfig


class Toleration(Closed):
    """A taint of Kubernetes nodes that a step's pod puts up with, in Kubernetes' own words."""

    key: str
    operator: Literal["Exists", "Equal"]
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None


class StepResources(Closed):
    """Who runs a step, and on what. Null and empty ask for nothing."""

    operator: str | None
    """A step operator of the active stack; null asks the stack's orchestrator."""
    gpus: int = Field(ge=0)
    cpus: int | None = Field(default=None, ge=1)
    memory: str | None = Field(default=None, pattern=r"^[1-9][0-9]*GB$")
    """Of the host, such as 64GB."""
    machine: str | None = None
    """Where hardware is chosen by name: SageMaker's instance type, Vertex' machine type, AzureML's
    compute cluster, Run:AI's node type."""
    accelerator: str | None = None
    """Where GPUs are chosen by name: Vertex' accelerator type, Modal's GPU."""
    deadline_hours: float | None = Field(default=None, gt=0)
    """A step that has not ended by then fails, and so does one that never got a machine."""
    node_selector: dict[str, str] = Field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()


class CohortResources(StepResources):
    """The same for a step that trains a whole cohort."""

    ranks: int | None = Field(default=None, ge=1)
    """Processes that share the cohort's peers and exchange predictions. Null: one per GPU that
    the step sees, at most one per peer; one where it sees none."""


class ResourcesConfig(Closed):
    """Where training runs; the other steps run where the orchestrator runs them."""

    pretraining: StepResources
    """Of each peer alone, or of a cohort where `pretraining.together`."""
    finetuning: CohortResources
    """Of a whole cohort, in both arms."""


class RunConfig(Closed):
    """Everything a run depends on."""

    data: DataConfig
    split_rows: SplitConfig
    features: FeatureConfig
    network: NetworkConfig
    peers: tuple[PeerConfig, ...] = Field(min_length=2)
    groups: int = Field(ge=1)
    """How often the cohort is repeated, from pretraining on, with other seeds."""
    optimizer: OptimizerConfig
    pretraining: CohortPretrainConfig
    finetuning: FinetuneConfig
    snapshots: SnapshotConfig
    registry: RegistryConfig
    promotion: PromotionConfig
    resources: ResourcesConfig | None = None
    """Null trains where the other steps run. Weights do not depend on it: no cache key has it."""

    @model_validator(mode="after")
    def _distinct_peers(self) -> "RunConfig":
        seen = set()
        for peer in self.peers:
            key = (peer.architecture, peer.seed, tuple(sorted(peer.options.items())))
            if key in seen:
                raise ValueError(
                    f"two peers are {peer.architecture} with seed {peer.seed}: they would be "
                    "the same model twice; give each its own seed."
                )
            seen.add(key)
        return self

    @model_validator(mode="after")
    def _a_peer_for_every_rank(self) -> "RunConfig":
        ranks = self.resources and self.resources.finetuning.ranks
        if ranks and ranks > len(self.peers):
            raise ValueError(
                f"`resources.finetuning.ranks` is {ranks} and a cohort has {len(self.peers)} "
                "peers: every rank needs one."
            )
        return self

    @model_validator(mode="after")
    def _champion_has_not_seen_the_test_rows(self) -> "RunConfig":
        kept_apart = self.split_rows.by in ("time", "files") or self.split_rows.id is not None
        if self.pretraining.start == "champion" and not kept_apart:
            raise ValueError(
                f"`pretraining.start: champion` under `split_rows.by: {self.split_rows.by}` starts "
                "from a model that has trained on rows of this run's test; split by time, or by "
                "hash of an `id`."
            )
        return self


class ScoreConfig(Closed):
    """Everything a batch scoring depends on: `parameters:` in configs/score/generated.yaml."""

    data: DataConfig
    labelled: bool
    """Whether the source has the contract's label column."""
    model: str
    """`name@alias` or `name/version` in the registry."""

    @model_validator(mode="after")
    def _every_row_of_it(self) -> "ScoreConfig":
        if self.data.quarantine_percent is not None:
            raise ValueError("every row is scored, none set aside; leave `quarantine_percent` out.")
        if not self.labelled and self.data.generated is not None:
            raise ValueError("generated clicks have labels; set `labelled: true`.")
        if not self.labelled and self.data.reference is not None:
            raise ValueError(
                "a snapshot holds a click rate, and these rows have none; leave `reference` out."
            )
        return self
