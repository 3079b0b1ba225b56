"""An excerpt of a track reads like the track where it was cut out, and names nobody."""

from __future__ import annotations

import numpy as np
import pytest

from bianlian.errors import UnreadableMedia
from bianlian.records.progress import Silent
from bianlian.tracking import store
from bianlian.tracking.excerpt import excerpt
from bianlian.tracking.observe import ObserveSettings
from bianlian.tracking.stage import track, writer_for
from bianlian.tracking.store import TrackReader
from tests.material import face_models, footage, pictures

FRAMES = 12


def test_an_excerpt_has_the_faces_of_its_frames_and_no_identity(tmp_path, monkeypatch):
    for module in ("store", "excerpt", "writer"):
        monkeypatch.setattr(f"bianlian.tracking.{module}.CHUNK", 4)
    writer = writer_for(tmp_path / "a.track", source_sha256="ab", model_hashes={}, settings=ObserveSettings())
    whole = track(
        footage(pictures("demo/demo_footage.mp4", FRAMES)), face_models(), ObserveSettings(), writer, Silent()
    )
    assert whole.info.persons
    part = tmp_path / "part"
    part.mkdir()
    for name, content in excerpt(whole.folder, 5, 8).items():
        (part / name).write_bytes(content)
    reader = TrackReader(part)
    assert reader.info.frame_count == FRAMES
    assert reader.info.persons == ()
    assert list(reader.instants(4, 8)) == list(whole.instants(4, 8))
    for mine, theirs in zip(reader.faces(4, 8), whole.faces(4, 8), strict=True):
        assert [one.person for one in mine] == [one.person for one in theirs]
        assert np.array_equal(mine[0].face.points_image, theirs[0].face.points_image)
    with pytest.raises(UnreadableMedia):
        list(reader.faces(8, 9))
    for name, content in excerpt(whole.folder, 8, FRAMES).items():
        (part / name).write_bytes(content)
    assert len(list(TrackReader(part).faces(4, FRAMES))) == FRAMES - 4
    assert store.CHUNK == 4
