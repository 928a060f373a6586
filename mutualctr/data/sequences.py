"""Sequences: what a user did before, as ids of the field whose vocabulary they share.

Either the raw file has the items in several columns, or they are looked up in the events: the
last L items the same user clicked strictly before this row. Both end as local_ids_BL, oldest first,
padding in front.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa

from mutualctr.data.contract import Contract
from mutualctr.data.event_files import column_chunks
from mutualctr.data.layout import PADDING
from mutualctr.data.split import PARTS, time_of_rows


def last_items(ids_BC: np.ndarray, length: int) -> np.ndarray:
    """The last `length` items of each row in their order; empty places move to the front."""
    order_BC = np.argsort(ids_BC != PADDING, axis=1, kind="stable")
    return np.take_along_axis(ids_BC, order_BC, axis=1)[:, ids_BC.shape[1] - length :]


class ClickHistory:
    """The clicks of every user in the order of time.

    A row sees clicks that are strictly older than itself, so nothing of the same time, and none of
    a later part: what a model trains on holds no click of dev or test, however rows were split.
    """

    def __init__(
        self,
        user_R: np.ndarray,
        time_R: np.ndarray,
        item_R: np.ndarray,
        clicked_R: np.ndarray,
        part_R: np.ndarray,
    ):
        """`user_R`: a number ≥ 0 a user, −1 for unknown; `item_R`: local ids,
        padding for unknown; any times."""
        _, rank_R = np.unique(time_R, return_inverse=True)
        self._times = int(rank_R.max(initial=0)) + 1
        self._user_R, self._part_R = user_R, part_R
        self._key_R = user_R.astype(np.int64) * self._times + rank_R
        self._clicks = []
        for part in range(len(PARTS)):
            known_R = (user_R >= 0) & (item_R != PADDING)
            seen = np.flatnonzero((part_R <= part) & known_R & clicked_R)
            order = seen[np.argsort(self._key_R[seen], kind="stable")]
            self._clicks.append((self._key_R[order], item_R[order]))

    def last(self, rows: slice, length: int) -> np.ndarray:
        """local_ids_BL int32 of the last `length` clicks before each of these rows."""
        user_B, key_B, part_B = self._user_R[rows], self._key_R[rows], self._part_R[rows]
        ids_BL = np.full((len(key_B), length), PADDING, np.int32)
        for part, (key_E, item_E) in enumerate(self._clicks):
            asking = np.flatnonzero((part_B == part) & (user_B >= 0))
            end_B = np.searchsorted(key_E, key_B[asking], side="left")
            first_B = np.searchsorted(key_E, user_B[asking] * self._times, side="left")
            at_BL = end_B[:, None] + np.arange(-length, 0)
            there_BL = at_BL >= first_B[:, None]
            items_BL = np.full(at_BL.shape, PADDING, np.int32)
            items_BL[there_BL] = item_E[at_BL[there_BL]]
            ids_BL[asking] = items_BL
        return ids_BL


def clicks_and_times(
    events: Path, contract: Contract, part_R: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(clicked_R, time_R) over all events."""
    labels = [table[contract.label] for _, table in column_chunks(events, [contract.label])]
    label_R = pa.chunked_array([chunk for label in labels for chunk in label.chunks])
    return label_R.fill_null(0).to_numpy() == 1, time_of_rows(events, contract, part_R)
