// The contact sheet as a picture, drawn with canvas; white, so that it can be printed.

import { t } from "./config.js";
import { marked, sourceTypeOf } from "./mark.js";
import { CONTENT, decode, inParallel, readFile } from "./save.js";

const PAPER = "#ffffff";
const INK = "#18181b";
const FAINT = "#52525b";
const EMPTY = "#f4f4f5";
const EDGE = "#a1a1aa";
const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif';

/** In pixels at scale 1. */
const BOX = { width: 240, height: 300 };
const LINE = 18;
const GAP = 20;
const MARGIN = 32;
const HEADING = 44;
const HEADER = 84;

/** What browsers draw without trouble. */
const SIDE_PX = 16_000;
const AREA_PX = 40_000_000;
/** Above so many images the small files are read. */
const FULL_FILES = 200;

/** Choose the columns, so that the sheet comes out a little higher than wide. */
function columnsFor(groups) {
  const counts = groups.map(({ entries }) => entries.length);
  const total = counts.reduce((sum, count) => sum + count, 0);
  return Math.min(Math.max(...counts), Math.max(4, Math.ceil(Math.sqrt(total * 1.4))));
}

/**
 * Lay groups out on sheets, each within the limits of a canvas.
 * Returns {columns, sheets: [{width, height, rows: [{top, heading} | {top, entries}]}]}, unscaled.
 */
export function layOut(groups, { side = SIDE_PX, area = AREA_PX } = {}) {
  const columns = Math.min(
    columnsFor(groups),
    Math.floor((Math.min(side, Math.sqrt(area)) - 2 * MARGIN + GAP) / (BOX.width + GAP)),
  );
  const width = 2 * MARGIN + columns * (BOX.width + GAP) - GAP;
  const tallest = Math.min(side, Math.floor(area / width)) - MARGIN;
  const sheets = [];
  let sheet = null;
  const begin = () => {
    sheet = { width, height: HEADER, rows: [] };
    sheets.push(sheet);
  };
  const put = (row, height) => {
    if (sheet === null || sheet.height + height > tallest) begin();
    sheet.rows.push({ ...row, top: sheet.height });
    sheet.height += height;
  };
  for (const { title, entries } of groups) {
    // A heading stays with its first row.
    if (sheet && sheet.height + HEADING + rowHeight(entries.slice(0, columns)) > tallest) begin();
    put({ heading: title }, HEADING);
    for (let from = 0; from < entries.length; from += columns) {
      const row = entries.slice(from, from + columns);
      put({ entries: row }, rowHeight(row));
    }
  }
  for (const each of sheets) each.height += MARGIN - GAP;
  return { columns, sheets };
}

function rowHeight(entries) {
  const lines = Math.max(...entries.map((entry) => entry.lines.length + 1));
  return BOX.height + 8 + lines * LINE + GAP;
}

/**
 * Draw the sheets. Resolves with {blobs, unread: [{entry, problem}]}.
 *
 * @param onProgress Called with (done, total) after each image.
 */
export async function drawSheets({ groups, title, subtitle, signal, onProgress = () => {} }) {
  const { sheets } = layOut(groups);
  const total = imagesOf(groups).length;
  const scale = scaleFor(sheets);
  const sourceType = sourceTypeOf(imagesOf(groups));
  const unread = [];
  const blobs = [];
  let done = 0;
  for (const [index, sheet] of sheets.entries()) {
    const canvas = new OffscreenCanvas(
      Math.round(sheet.width * scale),
      Math.round(sheet.height * scale),
    );
    const pen = canvas.getContext("2d", { alpha: false });
    pen.scale(scale, scale);
    pen.fillStyle = PAPER;
    pen.fillRect(0, 0, sheet.width, sheet.height);
    const part =
      sheets.length > 1 ? t("sheet_part", { index: index + 1, total: sheets.length }) : "";
    drawHeader(pen, sheet, title, [subtitle, part].filter(Boolean).join(" · "));
    for (const row of sheet.rows.filter(({ heading }) => heading)) drawHeading(pen, sheet, row);
    const cells = sheet.rows.flatMap(({ top, entries = [] }) =>
      entries.map((entry, column) => ({ entry, top, left: MARGIN + column * (BOX.width + GAP) })),
    );
    await inParallel(cells, async (cell) => {
      const problem = await drawCell(pen, cell, { scale, small: total > FULL_FILES, signal });
      if (problem) unread.push({ entry: cell.entry, problem });
      if (!cell.entry.failed) onProgress((done += 1), total);
    });
    blobs.push(await marked(await canvas.convertToBlob({ type: "image/png" }), sourceType));
  }
  return { blobs, unread };
}

/** The images of a sheet that have a file. */
function imagesOf(groups) {
  const entries = groups.flatMap((group) => group.entries).filter(({ failed }) => !failed);
  return entries.map(({ image }) => image);
}

function scaleFor(sheets) {
  return (
    [2, 1.5, 1].find((scale) =>
      sheets.every(
        ({ width, height }) =>
          Math.max(width, height) * scale <= SIDE_PX && width * height * scale * scale <= AREA_PX,
      ),
    ) ?? 1
  );
}

function drawHeader(pen, { width }, title, subtitle) {
  write(pen, title, MARGIN, MARGIN + 22, width - 2 * MARGIN, { size: 26, weight: 650, ink: INK });
  write(pen, subtitle, MARGIN, MARGIN + 46, width - 2 * MARGIN, { size: 14, ink: FAINT });
}

function drawHeading(pen, { width }, { heading, top }) {
  pen.fillStyle = EDGE;
  pen.fillRect(MARGIN, top + 4, width - 2 * MARGIN, 1);
  write(pen, heading, MARGIN, top + 28, width - 2 * MARGIN, { size: 16, weight: 600, ink: INK });
}

async function drawCell(pen, { entry, left, top }, { scale, small, signal }) {
  const { image, failed } = entry;
  let problem = null;
  let bitmap = null;
  if (!failed) {
    const url = (small && image.media.thumbnailURL) || image.media.url;
    const read = await readFile(url, signal);
    bitmap = read.blob ? await decode(read.blob, BOX.width * scale, BOX.height * scale) : null;
    problem = bitmap ? null : (read.problem ?? CONTENT);
  }
  if (bitmap) drawPicture(pen, bitmap, left, top);
  else drawSlot(pen, t(failed ? "sheet_failed" : "sheet_unread"), left, top);
  drawCaption(pen, entry, left, top + BOX.height + 8);
  return problem;
}

function drawPicture(pen, bitmap, left, top) {
  const share = Math.min(BOX.width / bitmap.width, BOX.height / bitmap.height);
  const [width, height] = [bitmap.width * share, bitmap.height * share];
  pen.imageSmoothingQuality = "high";
  pen.drawImage(
    bitmap,
    left + (BOX.width - width) / 2,
    top + (BOX.height - height) / 2,
    width,
    height,
  );
  bitmap.close();
}

function drawSlot(pen, text, left, top) {
  pen.fillStyle = EMPTY;
  pen.fillRect(left, top, BOX.width, BOX.height);
  pen.strokeStyle = EDGE;
  pen.setLineDash([6, 5]);
  pen.strokeRect(left + 0.5, top + 0.5, BOX.width - 1, BOX.height - 1);
  pen.setLineDash([]);
  pen.textAlign = "center";
  write(pen, text, left + BOX.width / 2, top + BOX.height / 2, BOX.width - 24, {
    size: 14,
    ink: FAINT,
  });
  pen.textAlign = "left";
}

function drawCaption(pen, { title, lines }, left, top) {
  write(pen, title, left, top + 13, BOX.width, { size: 13, weight: 600, ink: INK });
  lines.forEach((line, index) => {
    write(pen, line, left, top + 13 + (index + 1) * LINE, BOX.width, { size: 12, ink: FAINT });
  });
}

function write(pen, text, left, baseline, width, { size, weight = 400, ink }) {
  pen.font = `${weight} ${size}px ${FONT}`;
  pen.fillStyle = ink;
  pen.fillText(fitted(pen, text, width), left, baseline);
}

/** Shorten a text to a width, by whole characters as a reader sees them. */
function fitted(pen, text, width) {
  if (pen.measureText(text).width <= width) return text;
  const letters = [...new Intl.Segmenter().segment(text)].map(({ segment }) => segment);
  let [fits, tooLong] = [0, letters.length];
  while (tooLong - fits > 1) {
    const middle = Math.floor((fits + tooLong) / 2);
    if (pen.measureText(`${letters.slice(0, middle).join("")}…`).width <= width) fits = middle;
    else tooLong = middle;
  }
  return `${letters.slice(0, fits).join("").trimEnd()}…`;
}
