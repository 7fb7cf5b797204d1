"use strict";
// The page of an evaluation: a threshold that is moved, the heat map of many classes, charts as pictures.

function read(id) {
  const element = document.getElementById(id);
  return element && JSON.parse(element.textContent);
}

// The threshold: what the page says of it follows the slider.
const Threshold = {
  data: read("threshold-data"),
  slider: document.querySelector("[data-threshold]"),

  show() {
    const step = Number(Threshold.slider.value);
    const { called, right, size, marks } = Threshold.data;
    const section = document.getElementById("threshold");
    const write = (name, text) => { section.querySelector(`[data-${name}]`).textContent = text; };
    const share = (part, whole) => (whole ? `${((100 * part) / whole).toFixed(1)} %` : "–");
    write("threshold-shown", `${step} %`);
    write("called", called[step].toLocaleString("en"));
    write("right", right[step].toLocaleString("en"));
    write("precision", share(right[step], called[step]));
    write("recall", share(right[step], size));
    const mark = section.querySelector("[data-mark]");
    if (!mark) return;
    mark.toggleAttribute("hidden", !marks[step]);
    mark.style.display = marks[step] ? "" : "none";
    if (marks[step]) {
      mark.setAttribute("cx", marks[step][0]);
      mark.setAttribute("cy", marks[step][1]);
    }
  },
};
if (Threshold.slider && Threshold.data) {
  Threshold.slider.addEventListener("input", Threshold.show);
  Threshold.slider.form.querySelector("button").hidden = true; // the slider and the list act at once
  Threshold.show(); // a browser may have kept where the slider was
}

// The heat map, which comes after the page: what lies under the pointer, and its pictures at a press.
const Heat = {
  svg: () => document.querySelector("[data-heat]"),
  cells: null,

  at(event) {
    Heat.cells ||= read("heat-data");
    const box = Heat.svg().getBoundingClientRect();
    const { names, counts } = Heat.cells;
    const place = (value, start, length) => Math.floor(((value - start) / length) * names.length);
    const row = place(event.clientY, box.top, box.height);
    const column = place(event.clientX, box.left, box.width);
    return { row, column, count: counts[`${row},${column}`] || 0 };
  },
};

document.addEventListener("pointermove", (event) => {
  if (!event.target.closest?.("[data-heat]")) return;
  const { row, column, count } = Heat.at(event);
  const { names } = Heat.cells;
  if (!(row in names) || !(column in names)) return;
  document.querySelector("[data-heat-words]").textContent = `${names[row]} taken for ${names[column]}: ${count}`;
});
document.addEventListener("click", (event) => {
  if (!event.target.closest?.("[data-heat]")) return;
  const { row, column, count } = Heat.at(event);
  if (!count) return;
  const { ids } = Heat.cells;
  const address = `${Heat.svg().dataset.address}&true=${ids[row]}&predicted=${ids[column]}`;
  htmx.ajax("GET", address, "#judged").then(showPictures);
});

// What is asked for appears further down: go there.
function showPictures() {
  document.getElementById("pictures").scrollIntoView({ behavior: "smooth" });
}
document.addEventListener("htmx:afterSwap", (event) => {
  const asked = event.detail.requestConfig?.elt;
  if (event.target.id !== "judged" || !asked?.matches("[data-judged]")) return;
  for (const link of document.querySelectorAll("#pictures .filters a")) link.toggleAttribute("aria-current", link === asked);
  showPictures();
});

// A chart as a PNG: its SVG file, drawn by the browser at twice its size.
for (const button of document.querySelectorAll("[data-png]")) button.hidden = false;
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-png]");
  if (!button) return;
  const address = [...button.parentElement.querySelectorAll("a")].at(-1).href;
  const image = new Image();
  const file = new Blob([await (await fetch(address)).text()], { type: "image/svg+xml" });
  image.src = URL.createObjectURL(file);
  await image.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width: 2 * image.width, height: 2 * image.height });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  const name = `${button.closest("[data-plot]").dataset.plot}.png`;
  Object.assign(document.createElement("a"), { href: canvas.toDataURL("image/png"), download: name }).click();
  URL.revokeObjectURL(image.src);
});
