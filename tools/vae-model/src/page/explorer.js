// What moves: a point of the latent space, and all that shows it.
"use strict";

(() => {
  const $ = (id) => document.getElementById(id);
  const description = JSON.parse($("model").textContent);
  const model = readModel(description, $("weights").textContent);
  const { latent, classes, drawn, reach, signed } = description;
  const [height, width] = description.image;
  const TILES = 11;
  const STEPS = 9;

  let z;
  let label = 0;
  let axes = [0, 1];
  const low = [];
  const high = [];
  let ends;

  // ---- points

  /** A draw from N(0, 1) (Box and Muller 1958). */
  const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());

  function random() {
    const { mean, sigma } = model.prior(label);
    return Array.from(mean, (m, i) => (drawn ? m + sigma[i] * normal() : at(i, Math.random())));
  }

  const middle = () => Array.from(model.prior(label).mean);

  /** How far a dimension goes: standard deviations of the prior, of every class where it is learned, or a plain number. */
  function setReach(reach) {
    if (!(reach > 0)) return;
    const priors = Array.from({ length: Math.max(1, classes) }, (_, k) => model.prior(k));
    for (let i = 0; i < latent; i++) {
      low[i] = drawn ? Math.min(...priors.map((p) => p.mean[i] - reach * p.sigma[i])) : signed ? -reach : 0;
      high[i] = drawn ? Math.max(...priors.map((p) => p.mean[i] + reach * p.sigma[i])) : reach;
      Object.assign(sliders[i].range, { min: low[i], max: high[i], step: (high[i] - low[i]) / 200 });
    }
  }

  const at = (i, share) => low[i] + share * (high[i] - low[i]);
  const share = (i, v) => (v - low[i]) / (high[i] - low[i]);
  const within = (share) => Math.min(1, Math.max(0, share));

  // ---- pictures

  function size(canvas, across, down) {
    canvas.width = width * across;
    canvas.height = height * down;
  }

  function paint(canvas, point, across = 0, down = 0) {
    const picture = new ImageData(width, height);
    model.decode(point, label).forEach((mean, i) => {
      picture.data.fill(255 * Math.min(1, Math.max(0, mean)), 4 * i, 4 * i + 3);
      picture.data[4 * i + 3] = 255;
    });
    canvas.getContext("2d").putImageData(picture, across * width, down * height);
  }

  function paintStrip() {
    for (let k = 0; k < STEPS; k++) paint($("strip"), way(k / (STEPS - 1)), k);
  }

  let tilesOf = "";
  let round = 0;

  /** The plane through this point, a few tiles at a time so that the page stays live. */
  function paintTiles() {
    const fixed = z.map((v, i) => (axes.includes(i) ? 0 : v));
    const wanted = JSON.stringify([fixed, label, axes, low, high]);
    if ($("map").hidden || wanted === tilesOf) return;
    tilesOf = wanted;
    const mine = ++round;
    let tile = 0;
    const some = () => {
      const until = performance.now() + 10;
      while (mine === round && tile < TILES * TILES && performance.now() < until) {
        const [column, row] = [tile % TILES, Math.floor(tile / TILES)];
        const point = fixed.slice();
        point[axes[0]] = at(axes[0], (column + 0.5) / TILES);
        point[axes[1]] = at(axes[1], 1 - (row + 0.5) / TILES);
        paint($("tiles"), point, column, row);
        tile++;
      }
      if (mine === round && tile < TILES * TILES) requestAnimationFrame(some);
    };
    some();
  }

  // ---- the page

  const way = (t) => between(ends[0], ends[1], t, $("path").value === "spherical");
  const sliders = Array.from({ length: latent }, (_, i) => slider(i));

  function slider(i) {
    const row = document.createElement("label");
    const [name, range, value] = ["span", "input", "output"].map((tag) => document.createElement(tag));
    name.textContent = `z${i}`;
    range.type = "range";
    range.addEventListener("input", () => move([i], [Number(range.value)]));
    row.append(name, range, value);
    $("sliders").append(row);
    return { range, value };
  }

  let waiting = false;

  /** Shows what has changed, once for all changes before the next frame. */
  function show() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      paint($("picture"), z);
      sliders.forEach(({ range, value }, i) => {
        range.value = z[i];
        value.textContent = z[i].toFixed(2);
      });
      if (latent > 1) showCross();
      paintTiles();
    });
  }

  function showCross() {
    const [x, y] = axes.map((axis) => within(share(axis, z[axis])));
    $("cross").style.left = `${100 * x}%`;
    $("cross").style.top = `${100 * (1 - y)}%`;
    const place = axes.map((axis) => `z${axis} ${z[axis].toFixed(2)}`).join(", ");
    $("plane").setAttribute("aria-label", `Latent plane, at ${place}`);
  }

  function go(point) {
    z = point;
    show();
  }

  function move(which, values) {
    const point = z.slice();
    which.forEach((i, k) => (point[i] = values[k]));
    go(point);
  }

  function makeLabels() {
    for (let k = 0; k < classes; k++) {
      const choice = document.createElement("label");
      const [radio, name] = ["input", "span"].map((tag) => document.createElement(tag));
      Object.assign(radio, { type: "radio", name: "label", value: k, checked: k === label });
      name.textContent = k;
      radio.addEventListener("change", () => {
        label = k;
        paintStrip();
        show();
      });
      choice.append(radio, name);
      $("labels").append(choice);
    }
    $("labels").hidden = classes === 0;
  }

  function makePlane() {
    const plane = $("plane");
    $("map").hidden = latent < 2;
    $("axes").hidden = latent === 2;
    document.querySelector("main").classList.toggle("flat", latent < 2);
    ["across", "up"].forEach((id, k) => {
      for (let i = 0; i < latent; i++) $(id).add(new Option(`z${i}`, i, i === k, i === k));
      $(id).addEventListener("change", () => {
        const other = axes[1 - k];
        axes[k] = Number($(id).value);
        if (axes[k] === other) axes[1 - k] = (other + 1) % latent;
        [$("across").value, $("up").value] = axes;
        show();
      });
    });
    const point = (event) => {
      const box = plane.getBoundingClientRect();
      const shares = [(event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height];
      move(axes, shares.map((share, k) => at(axes[k], within(share))));
    };
    plane.addEventListener("pointerdown", (event) => {
      plane.setPointerCapture(event.pointerId);
      point(event);
    });
    plane.addEventListener("pointermove", (event) => {
      if (plane.hasPointerCapture(event.pointerId)) point(event);
    });
    const keys = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] };
    plane.addEventListener("keydown", (event) => {
      const key = keys[event.key];
      if (!key) return;
      event.preventDefault();
      const step = event.shiftKey ? 0.1 : 0.01;
      move(axes, axes.map((axis, k) => (key[k] ? at(axis, within(share(axis, z[axis]) + step * key[k])) : z[axis])));
    });
  }

  function makeWalk() {
    ["keep-a", "keep-b"].forEach((id, end) => {
      $(id).addEventListener("click", () => {
        ends[end] = z.slice();
        $("way").value = end;
        paintStrip();
      });
    });
    $("way").addEventListener("input", () => go(way(Number($("way").value))));
    $("path").addEventListener("change", paintStrip);
    $("path").value = drawn && latent > 2 ? "spherical" : "linear";
  }

  size($("picture"), 1, 1);
  size($("tiles"), TILES, TILES);
  size($("strip"), STEPS, 1);
  if (!drawn) $("draw").textContent = "Random point";
  $("draw").addEventListener("click", () => go(random()));
  $("reset").addEventListener("click", () => go(middle()));
  $("reach").addEventListener("input", () => {
    setReach(Number($("reach").value));
    show();
  });
  $("reach").value = reach;
  $("unit").hidden = !drawn;
  makeLabels();
  makePlane();
  makeWalk();
  setReach(reach);
  ends = [random(), random()];
  paintStrip();
  go(drawn ? middle() : random());
})();
