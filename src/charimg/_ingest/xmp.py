"""XMP packets (ISO 16684-1): what one says of where an image comes from, and how a label gets in.

What is there stays, byte by byte: a label is a description of its own beside the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.parsers import expat

from attrs import Factory, define, frozen

__all__ = ["AI", "Label", "Packet", "Unreadable", "labelled", "read_packet"]

TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
AI = (
    TRAINED,
    "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia",
)
"""The IPTC source types of what a model has drawn, in whole or in part."""

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_XMP = "http://ns.adobe.com/xap/1.0/"
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_PHOTOSHOP = "http://ns.adobe.com/photoshop/1.0/"
_PREFIXES = {_XMP: "xmp", _IPTC: "Iptc4xmpExt", _PHOTOSHOP: "photoshop"}

_SOURCE_TYPE = f"{_IPTC} DigitalSourceType"
_TOOL = f"{_XMP} CreatorTool"
_ELSEWHERE = "http://purl.org/dc/terms/ provenance"

_MOST_PROMPT = 32 * 1024
"""Most bytes of a prompt that goes into a label: that of a JPEG has 64 KiB for everything."""
_MOST_VALUE = 200
"""Most characters that are kept of what a packet says."""
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPES = {ord(char): f"&#{ord(char)};" for char in '&<>"\r%(*/'}
"""What means something in XML; a line end that would be read as another one; and what the beginning
of a document or a script is known by, so that no prompt looks like one.
"""
_PADDING = re.compile(rb"(?<!\s)\s+(?=<\?xpacket end=)")
"""From its beginning only: to look from each of its bytes would take the square of the time."""
_END = re.compile(rb"</(?:[^\s:>]+:)?RDF\s*>")


class Unreadable(Exception):
    """The packet is no XML that could be read safely, or has no room for a label."""


@frozen
class Label:
    """What a label says, beside the IPTC source type.

    Attributes:
        tool: The program, with its version.
        provider: Who drew the image, if that is known.
        prompt: From which prompt, if that shall be told.
    """

    tool: str
    provider: str = ""
    prompt: str | None = None

    def properties(self) -> Iterator[tuple[str, str]]:
        """Yield name, with its namespace, and value of each property."""
        yield _SOURCE_TYPE, TRAINED
        yield _TOOL, self.tool
        if self.provider:
            yield f"{_PHOTOSHOP} Credit", self.provider
            # Since the IPTC Photo Metadata Standard 2025.1.
            yield f"{_IPTC} AISystemUsed", self.provider
        if self.prompt and len(self.prompt.encode(errors="replace")) <= _MOST_PROMPT:
            yield f"{_IPTC} AIPromptInformation", self.prompt


@define
class Packet:
    """What a packet says.

    Attributes:
        values: The simple properties, by namespace and name.
        about: What it describes: mostly nothing, which is the file that it is in.
        end: Where in its bytes the descriptions end.
    """

    values: dict[str, str] = Factory(dict)
    about: str = ""
    end: int = -1

    @property
    def source_type(self) -> str | None:
        """The IPTC source type."""
        return self.values.get(_SOURCE_TYPE)

    @property
    def signed_elsewhere(self) -> bool:
        """Whether it names the place of content credentials that are not in the file."""
        return _ELSEWHERE in self.values

    @property
    def tool(self) -> str | None:
        """The program that made the image."""
        return self.values.get(_TOOL)


class _Reading:
    """Follows a parser through a packet; what lies deeper than a property is passed over."""

    def __init__(self) -> None:
        self.packet = Packet()
        self._open: list[str] = []
        self._top = -1
        self._text: list[str] = []
        self.parser = expat.ParserCreate("utf-8", " ")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        # Neither entities nor anything from elsewhere.
        self.parser.StartDoctypeDeclHandler = self._refuse

    def _refuse(self, *_: object) -> None:
        raise Unreadable

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == f"{_RDF} RDF" and self._top < 0:
            self._top = len(self._open)
        self._open.append(name)
        depth = len(self._open) - self._top
        if self._top < 0:
            return
        if depth == 2:
            self.packet.about = attributes.pop(f"{_RDF} about", "") or self.packet.about
            for key, value in attributes.items():
                self._keep(key, value)
        elif depth == 3:
            self._text = [attributes.get(f"{_RDF} resource", "")]

    def _end(self, name: str) -> None:
        depth = len(self._open) - self._top
        self._open.pop()
        if self._top < 0 or self.packet.end >= 0:
            return
        if depth == 3:
            self._keep(name, "".join(self._text))
        elif depth == 1:
            self.packet.end = self.parser.CurrentByteIndex

    def _characters(self, text: str) -> None:
        if self._top >= 0 and len(self._open) - self._top == 3:
            self._text.append(text)

    def _keep(self, name: str, value: str) -> None:
        self.packet.values.setdefault(name, value.strip()[:_MOST_VALUE])


def read_packet(data: bytes) -> Packet:
    """Read a packet.

    Args:
        data: In UTF-8.

    Raises:
        Unreadable: It is none, or brings a document type along.
    """
    reading = _Reading()
    try:
        reading.parser.Parse(data.rstrip(b"\0"), True)
    except expat.ExpatError as error:
        raise Unreadable from error
    return reading.packet


def labelled(label: Label, data: bytes = b"", most: int | None = None) -> bytes:
    """Return a packet that says what the label says.

    Args:
        label: What is said.
        data: The packet that there is. It keeps all that it says; of the label comes what it does
            not say itself.
        most: Bytes that there is room for.

    Raises:
        Unreadable: The packet that there is cannot be read, or there is no room.
    """
    packet = read_packet(data) if data else Packet()
    if _END.match(data, max(packet.end, 0)) is None:
        # It describes nothing, in a tag that is closed at once or not there.
        data = b""
    described = _described(label, packet).encode()
    whole = data[: packet.end] + described + data[packet.end :] if data else _packet(described)
    if most is not None and len(whole) > most:
        whole = _PADDING.sub(b"", whole)
        if len(whole) > most:
            raise Unreadable
    return whole


def _described(label: Label, packet: Packet) -> str:
    spaces = "".join(f' xmlns:{short}="{long}"' for long, short in _PREFIXES.items())
    lines = [f'<rdf:Description xmlns:rdf="{_RDF}" rdf:about="{_escaped(packet.about)}"{spaces}>']
    for name, value in label.properties():
        if name not in packet.values:
            space, local = name.split(" ")
            tag = f"{_PREFIXES[space]}:{local}"
            # As it is: some look for it without reading XML.
            text = value if value == TRAINED else _escaped(value)
            lines.append(f"<{tag}>{text}</{tag}>")
    return "\n".join([*lines, "</rdf:Description>\n"])


def _packet(described: bytes) -> bytes:
    return (
        b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/">\n<rdf:RDF xmlns:rdf="%s">\n%s'
        b'</rdf:RDF>\n</x:xmpmeta>\n<?xpacket end="w"?>' % (_RDF.encode(), described)
    )


def _escaped(text: str) -> str:
    return _NO_XML.sub("\ufffd", text).translate(_ESCAPES)
