"""Finding the weight, space and rate of the mutual epoch on dev, never on test.

A trial is the mutual arm of one cohort in every seed group; its value is the mean dev AUC of the
mean peer. Trials are cells of a study, so nothing is trained twice, and Optuna keeps its trials
in a file, so a killed search goes on.
"""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import optuna
import yaml
from pydantic import Field, model_validator

from mutualctr.closed import Closed
from mutualctr.config import FinetuneConfig, RunConfig
from mutualctr.evaluation.auc import auc
from mutualctr.files import replacing
from mutualctr.study.cells import digest
from mutualctr.study.config import ArmConfig, CohortConfig, StudyConfig
from mutualctr.study.plan import ArmCell, arm_cells, pretrained_key, pretrained_specs
from mutualctr.study.train import Bench, arm_cell, pretrained_cell
from mutualctr.training.losses import Space

SAMPLER_SEED = 0
TRIALS_BEFORE_PRUNING = 5


class Range(Closed):
    """Searched on a logarithmic scale, both ends included."""

    low: float = Field(gt=0)
    high: float = Field(gt=0)

    @model_validator(mode="after")
    def _ascends(self) -> "Range":
        if self.low >= self.high:
            raise ValueError(f"low {self.low:g} must lie below high {self.high:g}.")
        return self


class SearchConfig(Closed):
    """What may vary, and how long to look."""

    trials: int = Field(ge=1)
    """In all, those of an earlier, interrupted search included."""
    weight: Range
    lr: Range
    spaces: tuple[Space, ...] = Field(min_length=1)


class TuneConfig(RunConfig):
    """A run's configuration and a search over its finetuning."""

    search: SearchConfig

    @model_validator(mode="after")
    def _has_groups(self) -> "TuneConfig":
        if self.groups < 2:
            raise ValueError("a search over one seed group would tune to its seeds; give groups 2.")
        return self

    def as_study(self) -> StudyConfig:
        """The same cohort as a study's, with a control and a mutual arm."""
        shared = {
            name: getattr(self, name)
            for name in (
                "data",
                "split_rows",
                "features",
                "network",
                "optimizer",
                "groups",
            )
        } | {"pretraining": self.pretraining.of_a_peer()}
        arms = tuple(ArmConfig(name=kind, kind=kind) for kind in ("control", "mutual"))
        cohort = CohortConfig(name="cohort", peers=self.peers, finetuning=self.finetuning)
        return StudyConfig(**shared, workers=1, arms=arms, cohorts=(cohort,), hypotheses=())


@dataclass(frozen=True)
class Trial:
    """One place that was looked at; value is the mean dev AUC, None where it was pruned."""

    number: int
    state: Literal["complete", "pruned"]
    value: float | None
    weight: float
    lr: float
    space: str


@dataclass(frozen=True)
class Tuned:
    """The best finetuning on dev and how it was found."""

    finetuning: FinetuneConfig
    dev_auc: float
    pretrained_dev_auc: float
    control_dev_auc: float
    """The same rate and rows without the peers."""
    trials: tuple[Trial, ...]


def tune(
    bench: Bench,
    search: SearchConfig,
    storage: Path,
    report: Callable[[int, int, str], None],
) -> Tuned:
    """Search until `search.trials` are finished; trials found in `storage` count.

    A trial is pruned after a group where it is below the median of earlier trials at that group.
    The sampler is seeded, so the same search from the start looks at the same places.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    dev_label_R = np.asarray(bench.open("dev").label_R)
    for spec in pretrained_specs(bench.config):
        pretrained_cell(bench, spec)
    storage.parent.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        storage=f"sqlite:///{storage}",
        study_name=_identity(bench, search),
        load_if_exists=True,
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=SAMPLER_SEED),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=TRIALS_BEFORE_PRUNING),
    )
    first_finetuning = bench.config.cohorts[0].finetuning
    if not study.trials:
        study.enqueue_trial(
            first_finetuning.model_dump(include={"weight", "lr", "space"})
        )  # what the configuration has now is the first place to look at

    def objective(trial: optuna.Trial) -> float:
        said = {
            "weight": trial.suggest_float(
                "weight", search.weight.low, search.weight.high, log=True
            ),
            "lr": trial.suggest_float("lr", search.lr.low, search.lr.high, log=True),
            "space": trial.suggest_categorical("space", list(search.spaces)),
        }
        reached = []
        for group, cell in enumerate(_mutual_cells(bench, said)):
            reached.append(_dev_auc(bench, cell, dev_label_R))
            trial.report(float(np.mean(reached)), group)
            if group + 1 < bench.config.groups and trial.should_prune():
                raise optuna.TrialPruned
        return float(np.mean(reached))

    finished = len(_finished(study))
    while finished < search.trials:
        study.optimize(objective, n_trials=1)
        finished = len(_finished(study))
        last = study.trials[-1]
        report(finished, search.trials, _said(last))
    best = study.best_trial.params
    control = [_dev_auc(bench, cell, dev_label_R) for cell in _control_cells(bench, best["lr"])]
    pretrained = [
        auc(dev_label_R, pretrained_cell(bench, spec).probability_ENR("dev")[0, 0])
        for spec in pretrained_specs(bench.config)
    ]
    return Tuned(
        finetuning=first_finetuning.model_copy(update=best),
        dev_auc=study.best_value,
        pretrained_dev_auc=float(np.mean(pretrained)),
        control_dev_auc=float(np.mean(control)),
        trials=tuple(_trial(trial) for trial in _finished(study)),
    )


def ready_config(config: TuneConfig, tuned: Tuned) -> str:
    """A complete file for `zenml pipeline run dml_finetune -c`, with what was found."""
    parameters = config.model_dump(mode="json", exclude={"search"})
    parameters["finetuning"] = tuned.finetuning.model_dump(mode="json")
    head = (
        f"# Tuned on dev: {len(tuned.trials)} trials over {config.groups} seed groups.\n"
        f"# Dev AUC of the mean peer: pretrained {tuned.pretrained_dev_auc:.5f}, "
        f"control {tuned.control_dev_auc:.5f}, mutual {tuned.dev_auc:.5f}.\n"
    )
    content = {"run_name": "tuned-{date}-{time}", "parameters": parameters}
    return head + yaml.safe_dump(content, sort_keys=False)


def trials_csv(tuned: Tuned) -> str:
    """Every trial, best first, pruned ones last."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["trial", "state", "dev_auc", "weight", "lr", "space"])
    for t in sorted(tuned.trials, key=lambda t: -(t.value or 0.0)):
        value = "" if t.value is None else f"{t.value:.6f}"
        writer.writerow([t.number, t.state, value, f"{t.weight:.6g}", f"{t.lr:.6g}", t.space])
    return text.getvalue()


def _identity(bench: Bench, search: SearchConfig) -> str:
    """A search with other data, peers or ranges is another search; more trials are the same."""
    keys = [pretrained_key(bench.world, bench.config, s) for s in pretrained_specs(bench.config)]
    ranges = search.model_dump(mode="json", exclude={"trials"})
    seed = bench.config.cohorts[0].finetuning.seed
    return digest({"peers": keys, "search": ranges, "seed": seed})


def _mutual_cells(bench: Bench, said: dict[str, Any]) -> list[ArmCell]:
    return _cells(bench, ArmConfig(name="mutual", kind="mutual", **said))


def _control_cells(bench: Bench, lr: float) -> list[ArmCell]:
    return _cells(bench, ArmConfig(name="control", kind="control", lr=lr))


def _cells(bench: Bench, arm: ArmConfig) -> list[ArmCell]:
    (cohort,) = bench.config.cohorts
    alone = cohort.model_copy(update={"arms": None})
    config = bench.config.model_copy(update={"arms": (arm,), "cohorts": (alone,)})
    return list(arm_cells(config))


def _dev_auc(bench: Bench, cell: ArmCell, dev_label_R: np.ndarray) -> float:
    dev_NR = arm_cell(bench, cell).probability_ENR("dev")[0]
    return float(np.mean([auc(dev_label_R, p_R) for p_R in dev_NR]))


def _finished(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    states = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    return study.get_trials(deepcopy=False, states=states)


def _trial(trial: optuna.trial.FrozenTrial) -> Trial:
    complete = trial.state == optuna.trial.TrialState.COMPLETE
    return Trial(
        number=trial.number,
        state="complete" if complete else "pruned",
        value=trial.value if complete else None,
        **{name: trial.params[name] for name in ("weight", "lr", "space")},
    )


def _said(trial: optuna.trial.FrozenTrial) -> str:
    p = trial.params
    place = f"{p['space']}, weight {p['weight']:.3g}, lr {p['lr']:.2g}"
    if trial.state == optuna.trial.TrialState.COMPLETE:
        return f"{place}: dev AUC {trial.value:.5f}"
    return f"{place}: pruned"


def write_tuned(config: TuneConfig, tuned: Tuned, folder: Path) -> None:
    """Write tuned.yaml and trials.csv."""
    for name, content in (
        ("tuned.yaml", ready_config(config, tuned)),
        ("trials.csv", trials_csv(tuned)),
    ):
        with replacing(folder / name) as unfinished:
            unfinished.write_text(content, encoding="utf-8")


def found(tuned: Tuned) -> str:
    """What the search found, in a sentence."""
    f = tuned.finetuning
    return (
        f"Best on dev: {f.space}, weight {f.weight:.4g}, lr {f.lr:.3g}: mean peer "
        f"{tuned.dev_auc:.5f}, pretrained {tuned.pretrained_dev_auc:.5f}, control at the same "
        f"rate {tuned.control_dev_auc:.5f}."
    )
