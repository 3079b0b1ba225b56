"""XMP packets: our label and the IPTC source type are put in, everything else in them stays.

AIGC label in XMP after TC260-PG-20259A; `DigitalSourceType` after the IPTC Photo Metadata Standard 2023.1.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, ParseError, SubElement, register_namespace, tostring

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from bianlian.marking.metadata import AigcLabel

TC260 = "http://www.tc260.org.cn/ns/AIGC/1.0/"
IPTC_EXT = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
META = "adobe:ns:meta/"
_PREFIXES = {"TC260": TC260, "Iptc4xmpExt": IPTC_EXT, "rdf": RDF, "x": META}
_LABEL, _SOURCE_TYPE = f"{{{TC260}}}AIGC", f"{{{IPTC_EXT}}}DigitalSourceType"


def xmp_packet(label: AigcLabel, source_type: str, existing: bytes = b"") -> bytes:
    """An XMP packet for an image, with exactly one label.

    Args:
        source_type: URI of IPTC's digital source type.
        existing: the source's packet; what it says of other things is kept, an unreadable one is replaced.
    """
    return _packet({_LABEL: label.to_json(), _SOURCE_TYPE: source_type}, existing)


def source_type_packet(source_type: str) -> bytes:
    """An XMP packet for a video, whose label is in its keyed metadata: there may be one label only."""
    return _packet({_SOURCE_TYPE: source_type}, b"")


def source_type_in(packet: bytes) -> str:
    """IPTC's digital source type; empty where the packet has none."""
    root = _parsed(packet)
    return "" if root is None else root.findtext(f".//{_SOURCE_TYPE}", "")


def _packet(entries: dict[str, str], existing: bytes) -> bytes:
    for prefix, uri in _PREFIXES.items():
        register_namespace(prefix, uri)
    root = _parsed(existing)
    if root is None:
        root = Element(f"{{{META}}}xmpmeta")
        SubElement(root, f"{{{RDF}}}RDF")
    rdf = root if root.tag == f"{{{RDF}}}RDF" else root.find(f"{{{RDF}}}RDF")
    if rdf is None:
        rdf = SubElement(root, f"{{{RDF}}}RDF")
    for description in rdf.iter(f"{{{RDF}}}Description"):
        for name in (_LABEL, _SOURCE_TYPE):
            description.attrib.pop(name, None)
            for child in description.findall(name):
                description.remove(child)
    ours = SubElement(rdf, f"{{{RDF}}}Description", {f"{{{RDF}}}about": ""})
    for name, value in entries.items():
        SubElement(ours, name).text = value
    body = tostring(root, encoding="unicode")
    return f'<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n{body}\n<?xpacket end="w"?>'.encode()


def label_texts(packet: bytes) -> tuple[str, ...]:
    """The text of every label in a packet, as element or as attribute."""
    root = _parsed(packet)
    if root is None:
        return ()
    texts = [element.text or "" for element in root.iter(_LABEL)]
    return (*texts, *(element.attrib[_LABEL] for element in root.iter() if _LABEL in element.attrib))


def _parsed(packet: bytes) -> Element | None:
    """The root element, or None where there is no well-formed packet."""
    try:
        return fromstring(packet.strip(b"\0 \n\r\t")) if packet else None
    except (ParseError, DefusedXmlException, ValueError):
        return None
