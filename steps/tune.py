"""Blocks → the finetuning that is best on dev, as a ready configuration."""

from typing import Annotated

from zenml import step

from mutualctr.reference import Blocks, Tuning
from mutualctr.study.train import Bench
from mutualctr.study.tune import TuneConfig, found, write_tuned
from mutualctr.study.tune import tune as search_on_dev
from stack.code import STUDY, cell_code
from stack.counted import counted
from stack.materializer import ReferenceMaterializer
from stack.scratch import cell_store, scratch
from stack.tracker import current_tracker


@step(experiment_tracker=True, cache_policy=STUDY, output_materializers=ReferenceMaterializer)
def tune(blocks: Blocks, config: TuneConfig) -> Annotated[Tuning, "tuning"]:
    """Trials are cells beside the artifacts and rows of an Optuna file, so a killed search goes
    on where it was."""
    store = cell_store()
    bench = Bench(blocks, config.as_study(), store, cell_code())
    with scratch() as folder, counted("trials") as report:
        tuned = search_on_dev(bench, config.search, store / "optuna.db", report)
        write_tuned(config, tuned, folder)
        tracker = current_tracker()
        tracker.log_params(tracker.parent_run_id, tuned.finetuning.model_dump(mode="json"))
        aucs = {
            "dev_auc": tuned.dev_auc,
            "pretrained_dev_auc": tuned.pretrained_dev_auc,
            "control_dev_auc": tuned.control_dev_auc,
        }
        tracker.log_metrics(tracker.parent_run_id, aucs)
        for name in ("tuned.yaml", "trials.csv"):
            tracker.client.log_artifact(tracker.parent_run_id, str(folder / name))
        return Tuning.of(folder, found=found(tuned))
