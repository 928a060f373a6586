"""Every checkpoint of a run against the same test rows, and the report of it."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from mutualctr.config import RunConfig
from mutualctr.data.blocks import open_block
from mutualctr.data.contract import Contract
from mutualctr.data.event_files import column_chunks
from mutualctr.data.split import PARTS, TEST, TRAIN, read_parts
from mutualctr.data.tokens import TRANSFORMS
from mutualctr.evaluation.report import build_report, write_report
from mutualctr.evaluation.scored import Peer, Scored
from mutualctr.evaluation.wording import headline
from mutualctr.reference import Blocks, Events, Report, Split
from mutualctr.trained import Trained
from mutualctr.training import checkpoint
from mutualctr.training.predict import predict
from mutualctr.versions import versions


def judge(
    events: Events,
    split: Split,
    blocks: Blocks,
    contract: Contract,
    config: RunConfig,
    trained: Sequence[Trained],
    folder: Path,
) -> Report:
    """Score the test rows with every checkpoint, measure, and write the report."""
    test = open_block(blocks.folder, "test")
    scored, curves = [], []
    for item in trained:
        card, model = checkpoint.load(item.folder)
        peer = Peer(item.peer.name, card.architecture, card.seed, item.peer.group, card.began)
        scored.append(Scored(peer, item.arm, predict(model, test)))
        curves += [{"peer": peer.name, "arm": item.arm, **point} for point in card.curve]
    report = build_report(
        scored=scored,
        label_B=test.label_R,
        curves=curves,
        baseline=_baseline(events, split, contract, config),
        dataset={
            "name": contract.name,
            "source": events.source,
            "sha256": events.source_sha256,
            "split": config.split_rows.by,
            "num_ids": blocks.num_ids,
            "num_fields": blocks.num_fields,
        },
        rows={part: getattr(split, f"{part}_rows") for part in PARTS},
        config=config.model_dump(mode="json"),
        versions=versions(),
    )
    write_report(report, folder)
    return Report.of(folder, headline=headline(report).claim)


def _baseline(
    events: Events, split: Split, contract: Contract, config: RunConfig
) -> Mapping[str, Any]:
    """Hashed logistic regression on the raw tokens: it shares nothing with our encoder."""
    from mutualctr.evaluation.baseline import hashed_logistic_regression

    part_R = read_parts(split.folder)
    label_R = pa.concat_tables(
        [table for _, table in column_chunks(events.files, [contract.label])]
    )[contract.label].fill_null(-1)  # only rows that were set aside have no label
    label_R = label_R.to_numpy()
    features = contract.features(config.data.feature_set)

    def tokens(part: int) -> Iterator[tuple[str, pa.ChunkedArray]]:
        for feature in features:
            chunks = []
            for start, table in column_chunks(events.files, [feature.column]):
                chosen = pa.array(part_R[start : start + table.num_rows] == part)
                column = table[feature.column].filter(chosen).combine_chunks().dictionary_encode()
                # Quantiles are fitted; the baseline, which has no part in that, takes logarithms.
                transform = "log" if feature.transform == "quantile" else feature.transform
                token_U = TRANSFORMS[transform](column.dictionary)
                chunks.append(token_U.take(column.indices))
            yield feature.name, pa.chunked_array(chunks, pa.string())

    return hashed_logistic_regression(
        tokens(TRAIN), label_R[part_R == TRAIN], tokens(TEST), label_R[part_R == TEST]
    )
