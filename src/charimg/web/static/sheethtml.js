// The contact sheet as one HTML file: images and styles inside, no script, nothing from outside.

import { fmt, t } from "./config.js";
import { altOf, failureText, promptName } from "./describe.js";
import { marked, sourceTypeOf } from "./mark.js";
import { CONTENT, decode, inParallel, readFile } from "./save.js";

/** The longest side of an image that is not embedded whole. */
const SMALL_PX = 640;
/** The file itself can load nothing, whatever a text in it says. */
const POLICY =
  "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

const STYLE = `
:root{color-scheme:light dark;--bg:#fff;--ink:#18181b;--faint:#52525b;--line:#d4d4d8;--slot:#f4f4f5}
@media (prefers-color-scheme:dark){:root{--bg:#131316;--ink:#f4f4f5;--faint:#a1a1aa;--line:#3f3f46;--slot:#1f1f23}}
*{box-sizing:border-box}
body{margin:0;padding:clamp(1rem,3vw,2.5rem);background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
h1{margin:0;font-size:1.75rem;line-height:1.2;overflow-wrap:anywhere}
header p{margin:.25rem 0 0;color:var(--faint)}
h2{margin:2.5rem 0 1rem;padding-top:.75rem;border-top:1px solid var(--line);font-size:1.1rem}
ul{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(15rem,100%),1fr));gap:1.5rem;margin:0;padding:0;list-style:none}
figure{margin:0}
img,.slot{display:block;width:100%;height:auto;border-radius:6px;background:var(--slot)}
.slot{display:grid;place-items:center;aspect-ratio:4/5;margin:0;padding:1rem;border:1px dashed var(--line);color:var(--faint);text-align:center;overflow-wrap:anywhere}
figcaption{padding-top:.5rem;overflow-wrap:anywhere}
figcaption p{margin:0;color:var(--faint);font-size:.875rem}
figcaption .name{color:var(--ink);font-weight:600;font-size:.9375rem}
details{margin-top:.25rem;font-size:.875rem}
summary{cursor:pointer;color:var(--faint)}
.prompt{margin:.25rem 0 0;color:var(--ink);white-space:pre-wrap;unicode-bidi:plaintext}
@media print{ul{grid-template-columns:repeat(4,1fr)}li{break-inside:avoid}h2{break-after:avoid}}
`;

const MARKS = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
  "\r": "&#13;",
};

/** A text as HTML that reads back as the same text, line ends too. NUL cannot be written at all. */
export function escaped(text) {
  return String(text)
    .toWellFormed()
    .replaceAll("\0", "\ufffd")
    .replace(/[&<>"'\r]/g, (mark) => MARKS[mark]);
}

/**
 * Write the file. Resolves with {blob, unread: [{entry, problem}]}.
 *
 * @param full Embed the files as they are, not smaller ones.
 * @param onProgress Called with (done, total) after each image.
 */
export async function writeSheet({
  groups,
  title,
  subtitle,
  lang,
  full = false,
  signal,
  onProgress = () => {},
}) {
  const entries = groups.flatMap((group) => group.entries);
  const shown = entries.filter(({ failed }) => !failed);
  const pictures = new Map();
  const unread = [];
  let done = 0;
  await inParallel(shown, async (entry) => {
    const picture = await pictureOf(entry.image, { full, signal });
    if (picture.problem) unread.push({ entry, problem: picture.problem });
    pictures.set(entry, picture);
    onProgress((done += 1), shown.length);
  });
  const sourceType = sourceTypeOf(shown.map(({ image }) => image));
  const parts = [head({ title, subtitle, lang, sourceType })];
  for (const group of groups) {
    parts.push(`<section>\n<h2>${escaped(group.title)}</h2>\n<ul>\n`);
    for (const entry of group.entries) parts.push(...item(entry, pictures.get(entry)));
    parts.push("</ul>\n</section>\n");
  }
  parts.push("</main>\n</body>\n</html>\n");
  return { blob: new Blob(parts, { type: "text/html" }), unread };
}

function head({ title, subtitle, lang, sourceType }) {
  const mark = `<meta name="Iptc4xmpExt:DigitalSourceType" content="${sourceType}">\n`;
  return `<!doctype html>
<html lang="${escaped(lang || "en")}" dir="${escaped(document.documentElement.dir || "ltr")}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="charimg">
${sourceType ? mark : ""}<title>${escaped(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>${escaped(title)}</h1>
<p>${escaped(subtitle)}</p>
${sourceType ? `<p>${escaped(t("sheet_ai"))}</p>\n` : ""}</header>
<main>
`;
}

function item({ image, title, lines, failed }, picture) {
  const told = [
    ...lines,
    [picture?.told, fmt.size(image.media?.filesize)].filter(Boolean).join(" · "),
  ];
  return [
    "<li>\n<figure>\n",
    ...(picture?.uri
      ? img(image, picture)
      : [slot(failed ? failureText(image) : t("sheet_unread"))]),
    `<figcaption>\n<p class="name">${escaped(title)}</p>\n`,
    ...told.filter(Boolean).map((line) => `<p>${escaped(line)}</p>\n`),
    image.prompt ? prompt(image) : "",
    "</figcaption>\n</figure>\n</li>\n",
  ];
}

const slot = (text) => `<p class="slot">${escaped(text)}</p>\n`;

const img = (image, { uri, width, height }) => [
  `<img alt="${escaped(altOf(image))}" width="${width}" height="${height}" src="`,
  uri,
  '">\n',
];

const prompt = (image) =>
  `<details>\n<summary>${escaped(promptName(image))}</summary>\n<p class="prompt" dir="auto">${escaped(image.prompt)}</p>\n</details>\n`;

async function pictureOf(image, { full, signal }) {
  const { media } = image;
  const { blob, problem } = await readFile(media.url, signal);
  if (problem) return { problem };
  const side = full ? Infinity : SMALL_PX;
  const bitmap = await decode(blob, side, side);
  if (bitmap === null) return { problem: CONTENT };
  const { width, height } = bitmap;
  const file = full ? blob : await smaller(bitmap, blob, image);
  bitmap.close();
  // A blob, so that the browser may keep the long text on disk.
  const uri = new Blob([await dataUri(file)]);
  return { uri, width, height, told: fmt.pixels(media.width, media.height) };
}

async function smaller(bitmap, blob, image) {
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  const drawn = await canvas.convertToBlob({ type: "image/webp", quality: 0.86 });
  return drawn.size < blob.size ? marked(drawn, sourceTypeOf([image])) : blob;
}

function dataUri(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result));
    reader.addEventListener("error", () => reject(reader.error));
    reader.readAsDataURL(blob);
  });
}
