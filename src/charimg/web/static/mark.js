// Writes into pictures that this page draws that a model has drawn what they show, as XMP.

import { aiOf } from "./config.js";

const TERMS = "http://cv.iptc.org/newscodes/digitalsourcetype/";
/** Where the header of a PNG ends. */
const HEADER_END = 33;
const XMP_FLAG = 0x04;

/** The IPTC source type of what shows these images; null when none says that a model drew it. */
export function sourceTypeOf(images) {
  const said = images.filter(aiOf).length;
  if (said === 0) return null;
  const term = said === images.length ? "trained" : "compositeWithTrained";
  return `${TERMS}${term}AlgorithmicMedia`;
}

/** Mark a picture that a canvas has given; what is neither PNG nor WebP stays as it is. */
export async function marked(blob, sourceType) {
  if (!sourceType) return blob;
  const bytes = new Uint8Array(await blob.arrayBuffer());
  if (blob.type === "image/png") return new Blob(png(bytes, packet(sourceType)), blob);
  if (blob.type === "image/webp") return new Blob(webp(bytes, packet(sourceType)), blob);
  return blob;
}

function packet(sourceType) {
  return new TextEncoder().encode(
    `<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">
<Iptc4xmpExt:DigitalSourceType>${sourceType}</Iptc4xmpExt:DigitalSourceType>
<xmp:CreatorTool>charimg</xmp:CreatorTool>
</rdf:Description>
</rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>`,
  );
}

function png(bytes, xmp) {
  // Not compressed, in no language, its name not translated.
  const head = ascii("iTXtXML:com.adobe.xmp\0\0\0\0\0");
  const body = new Uint8Array([...head, ...xmp]);
  const length = number(body.length - 4, false);
  const chunk = [length, body, number(crc32(body), false)];
  return [bytes.subarray(0, HEADER_END), ...chunk, bytes.subarray(HEADER_END)];
}

function webp(bytes, xmp) {
  const name = (at) => String.fromCharCode(...bytes.subarray(at, at + 4));
  const view = new DataView(bytes.buffer);
  let header = bytes.slice(12, 30);
  let rest = bytes.subarray(30);
  if (name(12) === "VP8X") header[8] |= XMP_FLAG;
  else {
    header = extended(name(12) === "VP8 " ? lossy(view) : lossless(view));
    rest = bytes.subarray(12);
  }
  const chunk = [ascii("XMP "), number(xmp.length), xmp, new Uint8Array(xmp.length % 2)];
  const parts = [header, rest, ...chunk];
  const length = parts.reduce((sum, part) => sum + part.length, 4);
  return [ascii("RIFF"), number(length), ascii("WEBP"), ...parts];
}

const lossy = (view) => ({
  width: view.getUint16(26, true) & 0x3fff,
  height: view.getUint16(28, true) & 0x3fff,
  alpha: false,
});

function lossless(view) {
  const bits = view.getUint32(21, true);
  return {
    width: (bits & 0x3fff) + 1,
    height: ((bits >> 14) & 0x3fff) + 1,
    alpha: Boolean((bits >> 28) & 1),
  };
}

/** The header that a simple file lacks. */
function extended({ width, height, alpha }) {
  const side = (pixels) => number(pixels - 1).subarray(0, 3);
  const flags = XMP_FLAG | (alpha ? 0x10 : 0);
  const canvas = [...side(width), ...side(height)];
  return new Uint8Array([...ascii("VP8X"), ...number(10), flags, 0, 0, 0, ...canvas]);
}

const ascii = (text) => new TextEncoder().encode(text);

function number(value, little = true) {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, little);
  return bytes;
}

function crc32(bytes) {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
