"""Every face that is large enough stands whole in a view that the network can read."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bianlian.records.face import Box
from bianlian.tracking.detect import Detection, suppressed, views
from bianlian.tracking.sampling import RgbSampler
from tests.material import face_models, pictures, scene


@given(st.data(), st.sampled_from([(240, 320), (480, 640), (720, 1280), (1080, 1920), (1920, 1080), (64, 3000)]))
def test_every_face_fits_a_view_at_a_readable_size(data, size):
    height, width = size
    face = data.draw(st.floats(40, min(size)))
    left = data.draw(st.floats(0, width - face))
    top = data.draw(st.floats(0, height - face))
    assert any(
        view.square / 8 <= face + 1e-6
        and view.left - 1e-6 <= left
        and left + face <= view.left + view.square + 1e-6
        and view.top - 1e-6 <= top
        and top + face <= view.top + view.square + 1e-6
        for view in views(size, 40.0)
    )


def detection(left: float, score: float) -> Detection:
    box = Box(left=left, top=0, right=left + 10, bottom=10)
    return Detection(box=box, keypoints_image=np.full((6, 2), left, np.float32), score=score)


def test_one_face_seen_several_times_is_one():
    found = suppressed([detection(0, 0.9), detection(1, 0.6), detection(30, 0.7), detection(0.5, 0.9)])
    assert [round(item.box.left, 2) for item in found] == [0.44, 30]
    assert found[0].score == 0.9


@pytest.mark.parametrize("size", [(480, 640), (720, 1280)])
def test_small_faces_off_the_middle_are_found(size):
    (face,) = pictures("demo/demo_footage.mp4", 1)
    height, width = size
    scale = 45 / 284
    picture = scene(size, (face, scale, (8, height - 120)), (face, scale, (width - 125, 10)))
    found = [item for item in face_models().landmarker.detect(picture) if item.score > 0.6]
    assert len(found) == 2
    assert {round(item.box.left / width) for item in found} == {0, 1}


def test_no_face_is_found_where_none_is():
    picture = RgbSampler(scene((480, 640)))
    assert face_models().landmarker.detector.search(picture, smallest_px=40, least_score=0.6) == []


@pytest.mark.parametrize("name", ["demo/demo_footage.mp4", "demo/demo_donor_talk.mp4"])
@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_a_face_on_its_head_is_seen_as_one(name, scale):
    (face,) = pictures(name, 1, 30)
    standing = cv2.resize(face, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    on_its_head = RgbSampler(np.ascontiguousarray(standing[::-1, ::-1]))
    detector = face_models().landmarker.detector
    (as_it_is, *_), (seen, *_) = (
        detector.search(picture, smallest_px=40) for picture in (RgbSampler(standing), on_its_head)
    )
    assert detector.righted(RgbSampler(standing), as_it_is) is as_it_is
    righted = detector.righted(on_its_head, seen)
    eyes, mouth = righted.keypoints_image[:2, 1].mean(), righted.keypoints_image[3, 1]
    assert eyes > mouth + 0.2 * righted.box.height
    corner = np.array(standing.shape[1::-1]) - 1
    assert np.abs(corner - righted.keypoints_image - as_it_is.keypoints_image).max() < 0.1 * righted.box.height
