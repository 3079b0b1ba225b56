"""The part of a track that drawing a stretch of frames needs: no identities, no other frames."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import numpy as np

from bianlian.tracking.store import CHUNK, EMBEDDINGS, INDEX


def excerpt(folder: Path, first: int, stop: int) -> dict[str, bytes]:
    """Files by name that, put into a folder, `TrackReader` reads for frames first..stop-1.

    The index and the (empty) identities are the same for every stretch, so the files of several may share a folder.
    """
    nobody = io.BytesIO()
    np.savez(nobody)
    index = json.loads((folder / INDEX).read_bytes())
    index |= {"persons": [], "embeddings_sha256": hashlib.sha256(nobody.getvalue()).hexdigest()}
    names = [entry["file"] for entry in index["chunks"][first // CHUNK : -(-stop // CHUNK)]]
    chunks = {name: (folder / name).read_bytes() for name in names}
    return {INDEX: json.dumps(index).encode(), EMBEDDINGS: nobody.getvalue(), **chunks}
