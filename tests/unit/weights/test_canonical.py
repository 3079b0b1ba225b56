"""The canonical mesh is a mirrored disk of triangles over a face that looks at us."""

import zipfile

import numpy as np
import pytest

from bianlian.errors import InstallationError
from bianlian.weights.canonical import read_canonical_mesh
from bianlian.weights.catalogue import FACE_LANDMARKER
from tests.material import weight


@pytest.fixture(scope="module")
def mesh():
    return read_canonical_mesh(weight(FACE_LANDMARKER))


def test_the_mesh_is_a_disk(mesh):
    edges = np.sort(mesh.triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    different, uses = np.unique(edges, axis=0, return_counts=True)
    assert set(np.unique(mesh.triangles)) == set(range(468))
    assert set(uses) == {1, 2}
    assert 468 - len(different) + len(mesh.triangles) == 1, "Euler's number of a disk"


def test_axes_are_the_viewers(mesh):
    right_eye, left_eye, chin, nose = mesh.vertices[[33, 263, 152, 4]]
    assert right_eye[0] < 0 < left_eye[0], "the person's right is the viewer's left"
    assert chin[1] < right_eye[1], "y points up"
    assert nose[2] > right_eye[2], "z points at the camera"
    assert mesh.uv[152, 1] > mesh.uv[10, 1], "v points down"


def test_pose_is_weighed_by_what_hardly_moves(mesh):
    assert 20 < np.count_nonzero(mesh.pose_weights) < 60
    assert mesh.pose_weights[[13, 14, 159, 145]].max() == 0, "neither lips nor eyelids"


def test_a_wrong_bundle_is_refused(tmp_path):
    wrong = tmp_path / "face.task"
    wrong.write_bytes(b"no archive")
    with pytest.raises(InstallationError, match="not the face landmarker"):
        read_canonical_mesh(wrong)
    with zipfile.ZipFile(wrong, "w") as archive:
        archive.writestr("geometry_pipeline_metadata_landmarks.binarypb", b"\x0a\x7f\xff")
    with pytest.raises(InstallationError, match="cannot be read"):
        read_canonical_mesh(wrong)
