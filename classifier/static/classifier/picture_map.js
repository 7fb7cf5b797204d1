"use strict";
// The map of a project's pictures: one canvas, on which pictures are chosen by drawing around them.

(() => {
  const root = document.querySelector("[data-map]");
  const canvas = root.querySelector("[data-canvas]");
  const context = canvas.getContext("2d");
  const painted = document.createElement("canvas"); // the points, while only the ring or the outline moves
  let size = { width: 0, height: 0, scale: 0, places: new Float32Array(0) }; // of the canvas, and where each point is
  const thumbnail = root.querySelector("[data-thumbnail]");
  const status = root.querySelector("[data-map-status]");
  const SPAN = 32767, NEAR = 8, STEP = 0.04, MARGIN = 12, SHOWN = 60;
  let points = null, chosen = new Set(), outline = [], drawing = false, groups = [], colours = [];
  const ring = { x: 0, y: 0, size: 0.15, shown: false }; // in units of the shorter half side, from the middle

  function sha256(place) {
    const bytes = points.digests.slice(32 * place, 32 * place + 32);
    return Array.from(bytes, (letter) => letter.charCodeAt(0).toString(16).padStart(2, "0")).join("");
  }

  const place = (index) => [size.places[2 * index], size.places[2 * index + 1]];
  const dark = () => window.matchMedia("(prefers-color-scheme: dark)").matches;

  // Where nothing has a colour of its own, they go round the wheel by the golden angle, so that neighbours differ.
  const hue = (index) => `hsl(${Math.round((index * 137.5 + 215) % 360)} 70% ${dark() ? 65 : 42}%)`;

  function regroup() {
    const by = root.querySelector("[name=colour]:checked").value;
    const right = points.class.map((own, index) =>
      own < 0 || points.predicted[index] < 0 ? -1 : Number(own !== points.predicted[index]));
    const names = { class: points.classes, split: points.splits, right: ["as labelled", "taken for another class"] }[by];
    const values = { class: points.class, split: points.split, right }[by];
    groups = names.concat("none").map(() => []);
    values.forEach((value, index) => groups[value < 0 ? names.length : value].push(index));
    colours = (by === "class" ? points.colours : names.map((_, index) => hue(index))).concat("#8a93a5");
    root.querySelector("[data-legend]").replaceChildren(...names.concat("none").flatMap((name, index) => {
      if (!groups[index].length) return [];
      const item = document.createElement("li");
      item.innerHTML = '<svg viewBox="0 0 2 2" aria-hidden="true"><circle cx="1" cy="1" r="1"></circle></svg>';
      item.querySelector("circle").setAttribute("fill", colours[index]);
      item.append(`${name} (${groups[index].length.toLocaleString()})`);
      return [item];
    }));
  }

  // Work out where each point is, which asks the browser for the size of the canvas once and not for each.
  function measure() {
    if (!points) return;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    const scale = Math.min(width, height) / 2 - MARGIN;
    const places = new Float32Array(2 * points.ids.length);
    for (let index = 0; index < points.ids.length; index++) {
      places[2 * index] = width / 2 + (points.x[index] / SPAN) * scale;
      places[2 * index + 1] = height / 2 + (points.y[index] / SPAN) * scale;
    }
    size = { width, height, scale, places };
    paint();
  }

  function paint() {
    const ratio = window.devicePixelRatio || 1;
    for (const one of [canvas, painted]) Object.assign(one, { width: size.width * ratio, height: size.height * ratio });
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const below = painted.getContext("2d");
    below.setTransform(ratio, 0, 0, ratio, 0, 0);
    below.globalAlpha = chosen.size ? 0.35 : 0.8;
    groups.forEach((members, group) => dots(below, members, colours[group]));
    below.globalAlpha = 1;
    dots(below, chosen, dark() ? "#fff" : "#000");
    draw();
  }

  function dots(below, members, colour) {
    below.fillStyle = colour;
    const dot = Math.min(Math.max(60 / Math.sqrt(points.ids.length), 2), 5); // few are drawn larger
    for (const index of members) {
      below.fillRect(size.places[2 * index] - dot, size.places[2 * index + 1] - dot, 2 * dot, 2 * dot);
    }
  }

  function draw() {
    if (!points || !painted.width || !painted.height) return;
    context.clearRect(0, 0, size.width, size.height);
    context.drawImage(painted, 0, 0, size.width, size.height);
    drawTools();
  }

  function drawTools() {
    context.strokeStyle = dark() ? "#fff" : "#000";
    context.lineWidth = 1.5;
    context.beginPath();
    outline.forEach(([x, y], index) => (index ? context.lineTo(x, y) : context.moveTo(x, y)));
    if (ring.shown) {
      const [x, y] = ringPlace();
      context.arc(x, y, ring.size * size.scale, 0, 2 * Math.PI);
    }
    context.stroke();
  }

  const ringPlace = () => [size.width / 2 + ring.x * size.scale, size.height / 2 + ring.y * size.scale];

  // Whether a point lies in the outline: how often a line from it to the right crosses it (even-odd).
  function inside(x, y) {
    let within = false;
    outline.forEach(([ax, ay], index) => {
      const [bx, by] = outline[(index + 1) % outline.length];
      if (ay > y !== by > y && x < ax + ((y - ay) / (by - ay)) * (bx - ax)) within = !within;
    });
    return within;
  }

  function choose(wanted) {
    chosen = new Set(points.ids.map((_, index) => index).filter((index) => wanted(...place(index))));
    root.querySelector("[data-chosen-ids]").value = [...chosen].map((index) => points.ids[index]).join(",");
    for (const button of root.querySelectorAll("[data-needs-chosen]")) button.disabled = !chosen.size;
    const all = points.ids.length.toLocaleString();
    status.textContent = chosen.size ? `${chosen.size.toLocaleString()} of ${all} pictures chosen.` : `${all} pictures.`;
    root.querySelector("[data-chosen-pictures]").replaceChildren(...[...chosen].slice(0, SHOWN).map((index) => {
      const item = document.createElement("li");
      item.className = "sample";
      const link = Object.assign(document.createElement("a"), { href: `${root.dataset.pictures}${points.ids[index]}/` });
      const image = Object.assign(new Image(140, 140), { src: `${root.dataset.thumbnails}${sha256(index)}/160`, loading: "lazy" });
      image.alt = points.classes[points.class[index]] || "without a class";
      link.append(image);
      item.append(link);
      return item;
    }));
    paint();
  }

  function showNearest(x, y) {
    let best = -1, least = NEAR * NEAR;
    points.ids.forEach((_, index) => {
      const [px, py] = place(index);
      const distance = (px - x) ** 2 + (py - y) ** 2;
      if (distance < least) [best, least] = [index, distance];
    });
    thumbnail.hidden = best < 0;
    if (best < 0) return;
    const source = `${root.dataset.thumbnails}${sha256(best)}/160`;
    if (!thumbnail.src.endsWith(source)) thumbnail.src = source;
    const left = x + 180 > size.width ? x - 176 : x + 16;
    const top = Math.min(Math.max(y - 80, 0), size.height - 165);
    Object.assign(thumbnail.style, { transform: `translate(${Math.max(left, 0)}px, ${Math.max(top, 0)}px)` });
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (!points) return;
    canvas.setPointerCapture(event.pointerId);
    [drawing, outline, ring.shown, thumbnail.hidden] = [true, [[event.offsetX, event.offsetY]], false, true];
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!points) return;
    if (!drawing) return showNearest(event.offsetX, event.offsetY);
    outline.push([event.offsetX, event.offsetY]);
    window.requestAnimationFrame(draw);
  });
  canvas.addEventListener("pointerup", () => {
    if (!drawing) return;
    drawing = false;
    choose(inside);
    outline = [];
    draw();
  });
  canvas.addEventListener("pointerleave", () => { thumbnail.hidden = true; });

  canvas.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const sizes = { "+": 1.25, "=": 1.25, "-": 0.8 };
    if (!points || event.ctrlKey || event.metaKey || event.altKey) return;
    const [x, y] = ringPlace();
    const within = (px, py) => (px - x) ** 2 + (py - y) ** 2 <= (ring.size * size.scale) ** 2;
    if (event.key in moves) {
      ring.x = Math.min(Math.max(ring.x + STEP * moves[event.key][0], -1), 1);
      ring.y = Math.min(Math.max(ring.y + STEP * moves[event.key][1], -1), 1);
    } else if (event.key in sizes) ring.size = Math.min(Math.max(ring.size * sizes[event.key], 0.02), 1);
    else if (event.key === "Enter") choose(within);
    else if (event.key === "Escape") choose(() => false);
    else return;
    event.preventDefault();
    ring.shown = event.key !== "Escape";
    draw();
  });
  root.addEventListener("change", (event) => {
    if (event.target.name !== "colour" || !points) return;
    regroup();
    paint();
  });
  new ResizeObserver(measure).observe(canvas);

  fetch(root.dataset.map, { headers: { Accept: "application/json" } })
    .then((answer) => answer.json().then((data) => (answer.ok ? data : Promise.reject(new Error(data.error)))))
    .then((data) => {
      points = Object.assign(data, { digests: window.atob(data.sha256) });
      regroup();
      measure();
      choose(() => false);
    })
    .catch((error) => { status.textContent = error.message || "The map cannot be loaded now."; });
})();
