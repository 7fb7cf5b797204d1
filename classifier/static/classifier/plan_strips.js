"use strict";
// A few pictures of each class beside its name, while a person decides whether a folder was understood.

const STRIP_CLASSES = 20, STRIP_PICTURES = 3, STRIP_PIXELS = 72;

async function drawSmall(file) {
  const bitmap = await createImageBitmap(file);
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = STRIP_PIXELS;
  const side = Math.min(bitmap.width, bitmap.height);
  const [left, top] = [(bitmap.width - side) / 2, (bitmap.height - side) / 2];
  canvas.getContext("2d").drawImage(bitmap, left, top, side, side, 0, 0, STRIP_PIXELS, STRIP_PIXELS);
  bitmap.close();
  return canvas;
}

// Some of what a browser cannot draw (HEIC, say) the site can read: such a picture is left out here, and sent.
async function fillStrips(form, files) {
  for (const cell of [...form.querySelectorAll("[data-strip]")].slice(0, STRIP_CLASSES)) {
    const strip = document.createElement("span");
    strip.className = "strip";
    cell.append(strip);
    for (const { file } of files.filter(({ label }) => label === cell.dataset.strip).slice(0, STRIP_PICTURES)) {
      try {
        strip.append(await drawSmall(file));
      } catch (error) {
        continue;
      }
    }
  }
}
