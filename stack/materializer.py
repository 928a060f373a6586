"""How references live in the artifact store: the record as JSON beside the files it points at.

In a local store the folder is moved, not copied. To and from a remote one it goes in parallel,
checksummed parts, and stays cached on the node (stack/transfer.py, stack/node_cache.py). No pickle,
no tar.
"""

import json
import shutil
from pathlib import Path
from typing import Any, ClassVar

from zenml.enums import ArtifactType, VisualizationType
from zenml.io import fileio
from zenml.materializers.base_materializer import BaseMaterializer

from mutualctr.reference import Reference
from stack import node_cache, transfer

RECORD = "reference.json"
CONTENT = "content"
FILES = "files"


class ReferenceMaterializer(BaseMaterializer):
    """Stores any Reference; shows the HTML files at the top of its folder in the dashboard."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (Reference,)
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.DATA

    def save(self, data: Reference) -> None:
        """Move or upload the folder, then write the record: the record makes it exist."""
        content = f"{self.uri}/{CONTENT}"
        record = data.model_dump(mode="json", exclude={"folder"})
        if self.artifact_store.config.is_local:
            shutil.move(data.folder, content)
        else:
            files = transfer.upload(self.artifact_store, data.folder, content)
            record[FILES] = [file.model_dump(mode="json") for file in files]
            node_cache.kept(data.digest, data.folder)
        with self.artifact_store.open(f"{self.uri}/{RECORD}", "w") as file:
            file.write(json.dumps(record, indent=1))

    def load(self, data_type: type[Any]) -> Reference:
        """Point at the stored folder, or at this node's copy of a remote one."""
        with self.artifact_store.open(f"{self.uri}/{RECORD}", "r") as file:
            record = json.loads(file.read())
        folder = Path(self.uri) / CONTENT
        if FILES in record:
            files = tuple(transfer.StoredFile.model_validate(file) for file in record.pop(FILES))
            folder = node_cache.fetched(
                record["digest"],
                sum(file.size for file in files),
                lambda place: transfer.download(
                    self.artifact_store, f"{self.uri}/{CONTENT}", files, place
                ),
            )
        return data_type(folder=folder, **record)

    def save_visualizations(self, data: Reference) -> dict[str, VisualizationType]:
        """HTML pages at the top of the folder."""
        content = f"{self.uri}/{CONTENT}"
        pages = [name for name in fileio.listdir(content) if str(name).endswith(".html")]
        return {f"{content}/{name}": VisualizationType.HTML for name in pages}

    def extract_metadata(self, data: Reference) -> dict[str, Any]:
        """The record's own fields."""
        fields = data.model_dump(mode="json", exclude={"folder"})
        return {name: value for name, value in fields.items() if value not in ([], {})}

    def compute_content_hash(self, data: Reference) -> str:
        """The digest of the files, so that equal content is a cache hit downstream."""
        return data.digest
