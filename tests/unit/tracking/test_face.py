"""What is read from one face: landmarks, pose, expression, gaze, quality, identity."""

import cv2
import numpy as np
import pytest

from bianlian.errors import InstallationError
from bianlian.records.face import EXPRESSION_NAMES, Pose
from bianlian.tracking.gaze import gazes
from bianlian.tracking.identity import SAME_PERSON, IdentityModel
from bianlian.tracking.landmarks import LandmarkResult, region_of_detection, region_of_landmarks
from bianlian.tracking.quality import CoverEstimate, sharpness, size_px
from tests.material import face_models, pictures

ACT = 30
"""Frames an act of the demo clips takes; its height is in the middle (demo_donor_acts.json)."""


def landmarks(rgb) -> LandmarkResult:
    landmarker = face_models().landmarker
    first = landmarker.landmarks(rgb, region_of_detection(landmarker.detect(rgb)[0]))
    return landmarker.landmarks(rgb, region_of_landmarks(first.points_image))


@pytest.fixture(scope="module")
def acts():
    """Landmarks at rest and at the height of each act."""
    names = ["turn-left", "turn-right", "look-up", "look-down", "open-mouth", "close-eyes", "smile", "raise-brows"]
    rest, *_ = pictures("demo/demo_donor_acts.mp4", 1)
    heights = pictures("demo/demo_donor_acts.mp4", len(names), first=ACT // 2, step=ACT)
    return {"rest": landmarks(rest), **dict(zip(names, map(landmarks, heights), strict=True))}


def pose(result: LandmarkResult) -> Pose:
    return face_models().pose.pose(result.points_image)


def test_embeddings_are_those_of_dlib():
    """Some of the numbers that dlib 20.0.1 gives for a made-up picture, and their length."""
    y, x = np.mgrid[:150, :150]
    chip = np.stack([x * y, 3 * x + y, x * x + 5 * y], axis=-1).astype(np.uint8)
    embedding = face_models().identity.embed_chip(chip)
    expected = [-0.07933929, 0.1204169, 0.06164555, -0.07706746, -0.16115949, -0.03501644, -0.05518676, -0.00961103]
    assert np.allclose(embedding[:8], expected, atol=1e-5)
    assert np.linalg.norm(embedding) == pytest.approx(1.3351021, abs=1e-5)


def test_a_file_that_is_no_network_is_said(tmp_path):
    (tmp_path / "model.dat").write_bytes(b"no network")
    with pytest.raises(InstallationError, match="identity model"):
        IdentityModel(tmp_path / "model.dat")


def test_signs_of_the_head_pose_are_the_persons_own(acts):
    rest = pose(acts["rest"])
    assert abs(rest.yaw) < 0.05
    assert pose(acts["turn-left"]).yaw > 0.4
    assert pose(acts["turn-right"]).yaw < -0.4
    assert pose(acts["look-up"]).pitch > rest.pitch + 0.2
    assert pose(acts["look-down"]).pitch < rest.pitch - 0.2


@pytest.mark.parametrize("degrees", [-46, -20, 15, 46])
def test_a_turned_picture_turns_landmarks_and_roll(acts, degrees):
    (rgb,) = pictures("demo/demo_donor_acts.mp4", 1)
    height, width = rgb.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1.0)  # OpenCV counts anticlockwise
    result = landmarks(cv2.warpAffine(rgb, turn, (width, height), borderMode=cv2.BORDER_REPLICATE))
    expected = acts["rest"].points_image[:, :2] @ turn[:, :2].T + turn[:, 2]
    apart = np.linalg.norm(result.points_image[:, :2] - expected, axis=1).mean()
    assert apart < 0.02 * size_px(acts["rest"].points_image)
    assert pose(result).roll == pytest.approx(np.radians(degrees), abs=0.06)


@pytest.mark.parametrize(
    ("act", "name"),
    [
        ("open-mouth", "jawOpen"),
        ("close-eyes", "eyeBlinkLeft"),
        ("close-eyes", "eyeBlinkRight"),
        ("smile", "mouthSmileLeft"),
        ("raise-brows", "browInnerUp"),
    ],
)
def test_expressions_are_told_apart(acts, act, name):
    index = EXPRESSION_NAMES.index(name)
    model = face_models().expression
    rest = model.coefficients(acts["rest"].points_image)[index]
    assert model.coefficients(acts[act].points_image)[index] > rest + 0.15


def test_gaze_follows_the_iris(acts):
    points = acts["rest"].points_image.copy()
    eye = np.linalg.norm(points[33] - points[133])
    left, up = points.copy(), points.copy()
    left[468:, 0] += 0.1 * eye  # the viewer's right is the person's left
    up[468:, 1] -= 0.1 * eye
    many = np.stack([points, left, up])
    rest, to_left, upward = gazes(many, face_models().pose.rotations(many))
    assert np.abs(rest).max() < 0.25
    assert to_left[0] > rest[0] + 0.15
    assert upward[1] > rest[1] + 0.15


def test_blur_is_seen():
    (rgb,) = pictures("demo/demo_footage.mp4", 1)
    blurred = cv2.GaussianBlur(rgb, (0, 0), 6)
    assert sharpness(landmarks(blurred)) < 0.5 * sharpness(landmarks(rgb))


def test_something_before_the_face_is_seen():
    shown = pictures("demo/demo_footage.mp4", 12)
    landmarker = face_models().landmarker
    estimate, result = CoverEstimate(), landmarks(shown[0])
    covered = []
    for number, rgb in enumerate(shown):
        picture = rgb.copy()
        if number >= 8:
            x, y = result.points_image[152, :2].astype(int)
            picture[y - 90 : y + 20, x - 90 : x + 90] = (30, 90, 160)
        result = landmarker.landmarks(picture, region_of_landmarks(result.points_image))
        covered.append(estimate.update(result))
    assert max(covered[:8]) < 0.05
    assert min(covered[8:]) > 0.12


def test_a_person_is_told_from_another():
    def embedding(name: str, first: int) -> np.ndarray:
        (rgb,) = pictures(name, 1, first)
        return face_models().identity.embed(rgb, landmarks(rgb).points_image)

    donor = embedding("demo/demo_donor_acts.mp4", 0)
    donor_later = embedding("demo/demo_donor_talk.mp4", 100)
    performer = embedding("demo/demo_footage.mp4", 40)
    assert np.linalg.norm(donor - donor_later) < SAME_PERSON - 0.1
    assert np.linalg.norm(donor - performer) > np.linalg.norm(donor - donor_later) + 0.1
