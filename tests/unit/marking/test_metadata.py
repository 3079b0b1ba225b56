"""The metadata label: seven strings, allowed characters, one a file, read back from wherever others put theirs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image, PngImagePlugin

from bianlian.marking.metadata import AigcLabel, first_label, parse_label, tags
from bianlian.marking.mp4_boxes import xmp_appended
from bianlian.marking.reading import read_labels, xmp_of
from bianlian.marking.xmp import label_texts, source_type_in, source_type_packet, xmp_packet

TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
LABEL = first_label(job_id="6b1f0c", receipts_sha256="ab" * 32)
ALLOWED = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"\\')
values = st.text(ALLOWED, max_size=80)
labels = st.builds(
    AigcLabel, label=st.sampled_from("123"), producer=values, produce_id=values, reserved1=values, propagator=values,
    propagate_id=values, reserved2=values,
)  # fmt: skip


def video(path: Path, **metadata: str) -> Path:
    options = {"movflags": "use_metadata_tags"} if path.suffix in (".mp4", ".mov") else {}
    with av.open(str(path), "w", options=options) as container:
        container.metadata.update(metadata)
        stream = container.add_stream("libvpx" if path.suffix == ".webm" else "libx264", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for number in range(3):
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(np.full((64, 64, 3), 40 * number, np.uint8), "rgb24"))
            )
        container.mux(stream.encode(None))
    return path


def picture() -> Image.Image:
    return Image.fromarray(np.zeros((8, 8, 3), np.uint8))


@given(labels)
def test_a_label_comes_back_from_either_form(label: AigcLabel) -> None:
    wrapped = label.to_json()
    assert wrapped.isascii()
    assert parse_label(wrapped) == parse_label(json.dumps(json.loads(wrapped)["AIGC"])) == label


@given(st.text(min_size=1).filter(lambda text: any(one not in ALLOWED for one in text)))
def test_other_characters_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Annex E"):
        replace(LABEL, produce_id=text)


def test_the_first_label_has_the_seven_strings_in_order_and_equal_ids() -> None:
    body = json.loads(LABEL.to_json())["AIGC"]
    assert list(body) == [
        "Label", "ContentProducer", "ProduceID", "ReservedCode1", "ContentPropagator", "PropagateID", "ReservedCode2",
    ]  # fmt: skip
    assert all(isinstance(value, str) for value in body.values())
    assert body["Label"] == "1"
    assert (body["ContentProducer"], body["ProduceID"]) == (body["ContentPropagator"], body["PropagateID"])


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "webm"])
def test_video_containers(tmp_path: Path, suffix: str) -> None:
    path = video(tmp_path / f"clip.{suffix}", **tags(LABEL), title="other")
    assert read_labels(path).labels == (LABEL,)
    assert read_labels(video(tmp_path / f"bare.{suffix}", title="other")).labels == ()


def test_mp4_keeps_it_in_moov_udta_meta(tmp_path: Path) -> None:
    data = video(tmp_path / "clip.mp4", **tags(LABEL)).read_bytes()
    places = [
        data.index(name, data.index(b"moov")) for name in (b"moov", b"udta", b"meta", b"keys", b"mdtaAIGC", b"ilst")
    ]
    assert places == sorted(places)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_images_carry_it_as_xmp_with_the_source_type(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"picture.{suffix}"
    picture().save(
        path,
        **(
            {"pnginfo": _text("XML:com.adobe.xmp", xmp_packet(LABEL, TRAINED).decode())}
            if suffix == "png"
            else {"xmp": xmp_packet(LABEL, TRAINED)}
        ),
    )
    assert read_labels(path).labels == (LABEL,)
    assert source_type_in(xmp_of(path)) == TRAINED


def test_xmp_is_updated_not_replaced() -> None:
    other = "http://purl.org/dc/elements/1.1/"
    existing = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" xmlns:dc="{other}" dc:creator="somebody" '
        'xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/" TC260:AIGC="{&quot;Label&quot;:&quot;2&quot;}">'
        "<dc:format>image/png</dc:format></rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()
    assert [parse_label(text).label for text in label_texts(existing)] == ["2"]
    twice = xmp_packet(LABEL, TRAINED, xmp_packet(LABEL, TRAINED, existing))
    assert [parse_label(text) for text in label_texts(twice)] == [LABEL]
    assert b"somebody" in twice
    assert b"image/png" in twice
    assert twice.count(b"DigitalSourceType>") == 2


@pytest.mark.parametrize(
    "packet",
    [b"", b"no xml", b"<x", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', b"\xff\xfe"],
    ids=["none", "text", "cut", "entity", "bytes"],
)
def test_a_hostile_packet_is_no_label_and_no_obstacle(packet: bytes) -> None:
    assert label_texts(packet) == ()
    assert [parse_label(text) for text in label_texts(xmp_packet(LABEL, TRAINED, packet))] == [LABEL]


def test_forms_of_other_programs(tmp_path: Path) -> None:
    body = json.dumps(json.loads(LABEL.to_json())["AIGC"])
    picture().save(tmp_path / "text.png", pnginfo=_text("AIGC", body))
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = b"ASCII\0\0\0" + LABEL.to_json().encode()
    picture().save(tmp_path / "exif.jpg", exif=exif)
    for path in tmp_path.iterdir():
        assert read_labels(path).labels == (LABEL,)
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = b"ASCII\0\0\0a holiday"
    picture().save(tmp_path / "holiday.jpg", exif=exif)
    assert read_labels(tmp_path / "holiday.jpg").labels == ()


def test_two_labels_are_seen_as_two_and_nonsense_as_malformed(tmp_path: Path) -> None:
    two = video(tmp_path / "two.mp4", AIGC=LABEL.to_json(), com_AIGC=LABEL.to_json())
    assert len(read_labels(two).labels) == 2
    with xmp_appended(two, xmp_packet(LABEL, TRAINED)):
        assert len(read_labels(two).labels) == 3
    broken = read_labels(video(tmp_path / "broken.mp4", AIGC="nonsense"))
    assert (broken.labels, broken.malformed) == ((), ("nonsense",))


def test_an_xmp_box_is_there_and_gone(tmp_path: Path) -> None:
    path = video(tmp_path / "clip.mp4", **tags(LABEL))
    before = path.read_bytes()
    with xmp_appended(path, source_type_packet(TRAINED)):
        assert source_type_in(xmp_of(path)) == TRAINED
        assert read_labels(path).labels == (LABEL,)
    assert path.read_bytes() == before


@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"\0\0\0\x10ftypisom\0\0\0\0", b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67"]),
)
def test_any_bytes_are_read_without_harm(tmp_path_factory: pytest.TempPathFactory, content: bytes, head: bytes) -> None:
    path = tmp_path_factory.mktemp("bytes") / "file"
    path.write_bytes(head + content)
    assert read_labels(path).labels == ()


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_any_damage_is_read_without_harm(tmp_path: Path, suffix: str) -> None:
    data = video(tmp_path / f"clip.{suffix}", **tags(LABEL)).read_bytes()
    random, path = np.random.default_rng(2), tmp_path / "damaged"
    for _ in range(300):
        hurt = bytearray(data[: random.integers(8, len(data) + 1)])
        for place in random.integers(0, len(hurt), 6):
            hurt[place] = random.integers(256)
        path.write_bytes(bytes(hurt))
        read_labels(path)


def _text(key: str, value: str) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_itxt(key, value)
    return info
