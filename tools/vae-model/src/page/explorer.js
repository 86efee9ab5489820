// The page: a current point of the latent space, the controls that move it, and the pictures decoded from it.
"use strict";

(() => {
  const $ = (id) => document.getElementById(id);
  const description = JSON.parse($("model").textContent);
  const model = readModel(description, $("weights").textContent);
  const { latent, classes, variational, range, signed } = description;
  const [height, width] = description.image;
  const TILES = 11;
  const STEPS = 9;

  let z;
  let label = 0;
  let axes = [0, 1];
  const low = [];
  const high = [];
  let endpoints;

  // ---- points

  /** A draw from N(0, 1) (Box and Muller 1958). */
  const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());

  function draw() {
    const { mean, sigma } = model.prior(label);
    return Array.from(mean, (m, i) => (variational ? m + sigma[i] * normal() : fromUnit(i, Math.random())));
  }

  const priorMean = () => Array.from(model.prior(label).mean);

  /** Slider limits: standard deviations around the prior's means, of all classes if it is learned; or plain values. */
  function setRange(range) {
    if (!(range > 0)) return;
    const priors = Array.from({ length: Math.max(1, classes) }, (_, k) => model.prior(k));
    for (let i = 0; i < latent; i++) {
      low[i] = variational ? Math.min(...priors.map((p) => p.mean[i] - range * p.sigma[i])) : signed ? -range : 0;
      high[i] = variational ? Math.max(...priors.map((p) => p.mean[i] + range * p.sigma[i])) : range;
      Object.assign(sliders[i].input, { min: low[i], max: high[i], step: (high[i] - low[i]) / 200 });
    }
  }

  const fromUnit = (i, u) => low[i] + u * (high[i] - low[i]);
  const toUnit = (i, v) => (v - low[i]) / (high[i] - low[i]);
  const clamp = (u) => Math.min(1, Math.max(0, u));

  // ---- pictures

  function resize(canvas, columns, rows) {
    canvas.width = width * columns;
    canvas.height = height * rows;
  }

  function paint(canvas, point, column = 0, row = 0) {
    const image = new ImageData(width, height);
    model.decode(point, label).forEach((mean, i) => {
      image.data.fill(255 * Math.min(1, Math.max(0, mean)), 4 * i, 4 * i + 3);
      image.data[4 * i + 3] = 255;
    });
    canvas.getContext("2d").putImageData(image, column * width, row * height);
  }

  function paintStrip() {
    for (let k = 0; k < STEPS; k++) paint($("strip"), interpolated(k / (STEPS - 1)), k);
  }

  let paintedPlane = "";
  let generation = 0;

  /** Paints the plane through the current point, 10 ms per frame so that the page stays responsive. */
  function paintPlane() {
    const fixed = z.map((v, i) => (axes.includes(i) ? 0 : v));
    const plane = JSON.stringify([fixed, label, axes, low, high]);
    if ($("map").hidden || plane === paintedPlane) return;
    paintedPlane = plane;
    const mine = ++generation;
    let tile = 0;
    const paintSome = () => {
      const deadline = performance.now() + 10;
      while (mine === generation && tile < TILES * TILES && performance.now() < deadline) {
        const [column, row] = [tile % TILES, Math.floor(tile / TILES)];
        const point = fixed.slice();
        point[axes[0]] = fromUnit(axes[0], (column + 0.5) / TILES);
        point[axes[1]] = fromUnit(axes[1], 1 - (row + 0.5) / TILES);
        paint($("tiles"), point, column, row);
        tile++;
      }
      if (mine === generation && tile < TILES * TILES) requestAnimationFrame(paintSome);
    };
    paintSome();
  }

  // ---- controls

  const interpolated = (t) => interpolate(endpoints[0], endpoints[1], t, $("path").value === "spherical");
  const sliders = Array.from({ length: latent }, (_, i) => makeSlider(i));

  function makeSlider(i) {
    const row = document.createElement("label");
    const [name, input, output] = ["span", "input", "output"].map((tag) => document.createElement(tag));
    name.textContent = `z${i}`;
    input.type = "range";
    input.addEventListener("input", () => setCoordinates([i], [Number(input.value)]));
    row.append(name, input, output);
    $("sliders").append(row);
    return { input, output };
  }

  let scheduled = false;

  /** Repaints before the next frame, once for all changes until then. */
  function update() {
    if (scheduled) return;
    scheduled = true;
    requestAnimationFrame(() => {
      scheduled = false;
      paint($("picture"), z);
      sliders.forEach(({ input, output }, i) => {
        input.value = z[i];
        output.textContent = z[i].toFixed(2);
      });
      if (latent > 1) moveCross();
      paintPlane();
    });
  }

  function moveCross() {
    const [x, y] = axes.map((axis) => clamp(toUnit(axis, z[axis])));
    $("cross").style.left = `${100 * x}%`;
    $("cross").style.top = `${100 * (1 - y)}%`;
    const coordinates = axes.map((axis) => `z${axis} ${z[axis].toFixed(2)}`).join(", ");
    $("plane").setAttribute("aria-label", `Latent plane, at ${coordinates}`);
  }

  function setPoint(point) {
    z = point;
    update();
  }

  function setCoordinates(indices, values) {
    const point = z.slice();
    indices.forEach((i, k) => (point[i] = values[k]));
    setPoint(point);
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
        update();
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
    ["horizontal", "vertical"].forEach((id, k) => {
      for (let i = 0; i < latent; i++) $(id).add(new Option(`z${i}`, i, i === k, i === k));
      $(id).addEventListener("change", () => {
        const other = axes[1 - k];
        axes[k] = Number($(id).value);
        if (axes[k] === other) axes[1 - k] = (other + 1) % latent;
        [$("horizontal").value, $("vertical").value] = axes;
        update();
      });
    });
    const movePoint = (event) => {
      const box = plane.getBoundingClientRect();
      const units = [(event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height];
      setCoordinates(axes, units.map((u, k) => fromUnit(axes[k], clamp(u))));
    };
    plane.addEventListener("pointerdown", (event) => {
      plane.setPointerCapture(event.pointerId);
      movePoint(event);
    });
    plane.addEventListener("pointermove", (event) => {
      if (plane.hasPointerCapture(event.pointerId)) movePoint(event);
    });
    const directions = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] };
    plane.addEventListener("keydown", (event) => {
      const direction = directions[event.key];
      if (!direction) return;
      event.preventDefault();
      const step = event.shiftKey ? 0.1 : 0.01;
      const moved = (axis, k) => fromUnit(axis, clamp(toUnit(axis, z[axis]) + step * direction[k]));
      setCoordinates(axes, axes.map((axis, k) => (direction[k] ? moved(axis, k) : z[axis])));
    });
  }

  function makeInterpolation() {
    ["keep-a", "keep-b"].forEach((id, end) => {
      $(id).addEventListener("click", () => {
        endpoints[end] = z.slice();
        $("way").value = end;
        paintStrip();
      });
    });
    $("way").addEventListener("input", () => setPoint(interpolated(Number($("way").value))));
    $("path").addEventListener("change", paintStrip);
    $("path").value = variational && latent > 2 ? "spherical" : "linear";
  }

  resize($("picture"), 1, 1);
  resize($("tiles"), TILES, TILES);
  resize($("strip"), STEPS, 1);
  if (!variational) $("draw").textContent = "Random point";
  $("draw").addEventListener("click", () => setPoint(draw()));
  $("reset").addEventListener("click", () => setPoint(priorMean()));
  $("range").addEventListener("input", () => {
    setRange(Number($("range").value));
    update();
  });
  $("range").value = range;
  $("unit").hidden = !variational;
  makeLabels();
  makePlane();
  makeInterpolation();
  setRange(range);
  endpoints = [draw(), draw()];
  paintStrip();
  setPoint(variational ? priorMean() : draw());
})();
