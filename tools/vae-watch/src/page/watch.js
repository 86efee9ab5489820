// Polls for changes, keeps them, and shows one epoch: the newest, or that of the slider.
"use strict";

(() => {
  const $ = (id) => document.getElementById(id);
  // Label and unit by name in the records, as in vae-plot, curves.rs; another name is its own label.
  const LABELS = new Map([
    ["loss", ["Loss", "nats per image"]],
    ["recon", ["Reconstruction", "nats per image"]],
    ["kl", ["KL divergence", "nats per image"]],
    ["mse", ["Squared error", "per pixel"]],
  ]);
  const RETRY = 2000; // milliseconds from a lost connection to the next poll

  let state = { session: "", serial: 0, stage: "waiting" };
  let curves = { epochs: [] }; // by name, as in curves.rs
  const previews = new Map(); // by epoch
  let epochs = []; // the positions of the slider
  let current = null; // the epoch that is shown
  let follow = true; // whether it is always the newest

  // ---- polling

  async function poll() {
    const response = await fetch(`news?session=${state.session}&since=${state.serial}`);
    if (!response.ok) throw new Error(response.statusText);
    return response.json();
  }

  const ended = () => ["finished", "failed"].includes(state.stage);
  let listening = false;
  let retry = 0;

  /**
   * Polls until the stream has ended, without timers, which browsers slow down in hidden pages. After the end it polls once:
   * the server may have another run.
   */
  async function listen() {
    if (listening) return;
    clearTimeout(retry);
    listening = true;
    try {
      do update(await poll());
      while (state.more || !ended());
    } catch {
      if (!ended()) {
        state.stage = "lost";
        show();
        retry = setTimeout(listen, RETRY);
      }
    }
    listening = false;
  }

  function update(next) {
    if (next.session !== state.session) {
      previews.clear(); // another process
      curves = { epochs: [] };
      follow = true;
    }
    state = next;
    if (next.curves) curves = next.curves;
    for (const epoch of previews.keys()) if (!next.kept.includes(epoch)) previews.delete(epoch);
    for (const { epoch, recon, sample } of next.pictures) previews.set(epoch, { recon: decode(recon), sample: decode(sample) });
    epochs = [...new Set([...curves.epochs, ...previews.keys()])].sort((a, b) => a - b);
    if (follow || current === null) current = epochs.at(-1) ?? null;
    else current = nearest(epochs, current);
    show();
  }

  /** A preview with its pixels as bytes. */
  function decode(preview) {
    const bytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    return preview && { ...preview, rows: preview.rows.map(({ bytes: text }) => bytes(text)) };
  }

  /** The last of ascending epochs up to this one, or else the first. */
  const nearest = (epochs, wanted) => epochs.findLast((epoch) => epoch <= wanted) ?? epochs[0] ?? null;

  // ---- rendering

  function element(tag, ...children) {
    const made = document.createElement(tag);
    made.append(...children);
    return made;
  }

  let scheduled = false;

  /** Renders once for all changes before the next frame. */
  function show() {
    if (scheduled) return;
    scheduled = true;
    requestAnimationFrame(() => {
      scheduled = false;
      showStatus();
      showFacts();
      showSlider();
      showPreviews(); // before the charts, which are wider without previews
      showLosses();
    });
  }

  function showStatus() {
    const { stage, message, epoch, epochs } = state;
    const place = epoch === null || epoch === undefined ? "" : `epoch ${epoch}${epochs ? ` of ${epochs}` : ""}`;
    const text = {
      waiting: "Waiting for the stream",
      live: place ? `Live: ${place}` : "Live: first epoch",
      finished: place ? `Finished: ${place}` : "Finished: no losses in the stream",
      failed: `Stopped${place && ` at ${place}`}: ${message}`,
      lost: "Connection lost: this page reconnects when vae-watch runs again",
    }[stage];
    $("status").dataset.stage = stage;
    if ($("stage").textContent !== text) $("stage").textContent = text;
    document.title = place ? `${place} – vae-watch` : "vae-watch";
  }

  function showFacts() {
    const { network, objective, training, data, device } = state.run ?? {};
    const widths = network?.image && [network.image[0] * network.image[1], ...(network.hidden ?? []), network.latent];
    const likelihood = objective?.likelihood;
    const optimizer = network?.kind === "pca" ? null : training; // PCA has no steps
    const facts = {
      Network: widths && `${network.kind === "mlp" ? "" : `${network.kind} `}${widths.join(" – ")}`,
      Likelihood: typeof likelihood === "string" ? likelihood : likelihood && Object.keys(likelihood)[0],
      Beta: objective?.beta,
      Images: data?.images,
      Batch: optimizer?.batch,
      "Learning rate": optimizer?.lr,
      Seed: training?.seed,
      Device: device,
    };
    const entries = Object.entries(facts).filter(([, fact]) => ["string", "number"].includes(typeof fact));
    const known = JSON.stringify(entries);
    if ($("facts").dataset.known === known) return;
    $("facts").dataset.known = known;
    const entry = ([name, fact]) => element("div", element("dt", name), element("dd", fact));
    $("facts").replaceChildren(...entries.map(entry));
  }

  function showSlider() {
    const slider = $("epoch");
    $("when").hidden = epochs.length === 0;
    if (epochs.length === 0) return;
    slider.max = epochs.length - 1;
    slider.value = epochs.indexOf(current);
    slider.disabled = epochs.length < 2;
    $("at").textContent = `${current} of ${state.epochs ?? epochs.at(-1)}`;
    slider.setAttribute("aria-valuetext", `epoch ${current}`);
    $("newest").disabled = follow;
  }

  // ---- losses

  const figures = new Map();

  /** A figure: label, values at the current epoch, and chart. */
  function figure(name) {
    const [label, unit] = LABELS.get(name) ?? [name, ""];
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("role", "img");
    const values = {};
    for (const images of ["test", "train"]) {
      values[images] = element("span", element("i"), `${images} `, element("output"));
      values[images].className = images;
    }
    const caption = element("figcaption", element("b", `${label} `, element("small", unit)), ...Object.values(values));
    const whole = element("figure", caption, svg);
    whole.id = `chart-${name}`;
    const made = { whole, label, svg, values, pick: null };
    const pick = (event) => go(nearest(epochs, made.pick(event.clientX - svg.getBoundingClientRect().left)));
    svg.addEventListener("pointerdown", (event) => {
      svg.setPointerCapture(event.pointerId);
      pick(event);
    });
    svg.addEventListener("pointermove", (event) => {
      if (svg.hasPointerCapture(event.pointerId)) pick(event);
    });
    $("losses").append(whole);
    return made;
  }

  function showLosses() {
    const { epochs, ...names } = curves;
    $("losses").hidden = epochs.length === 0;
    const at = nearest(epochs, current);
    for (const { whole } of figures.values()) whole.hidden = true;
    for (const [name, lines] of Object.entries(names)) {
      if (!figures.has(name)) figures.set(name, figure(name));
      const { whole, label, svg, values } = figures.get(name);
      whole.hidden = false;
      figures.get(name).pick = drawChart(svg, epochs, lines, at);
      const texts = Object.entries(values).map(([images, span]) => {
        span.hidden = !lines[images];
        if (!lines[images]) return "";
        const value = format(lines[images][epochs.indexOf(at)]);
        span.querySelector("output").textContent = value;
        return `, ${images} ${value}`;
      });
      svg.setAttribute("aria-label", `${label} by epoch; at epoch ${at}${texts.join("")}`);
    }
  }

  // ---- previews

  const GAP = 2;

  /** Draws a preview: rows of items, the images of an item one above the other. */
  function paint(canvas, { size: [height, width], count, rows }) {
    const columns = Math.min(count, count > 32 ? 12 : 8);
    const down = Math.ceil(count / columns);
    const [step, between] = [width + GAP, rows.length > 1 ? 2 * GAP : GAP];
    const pair = rows.length * (height + 1) - 1 + between;
    canvas.width = columns * step - GAP;
    canvas.height = down * pair - between;
    canvas.style.maxWidth = `${columns * 4.5}rem`;
    const pen = canvas.getContext("2d");
    const image = new ImageData(width, height);
    rows.forEach((bytes, row) => {
      for (let item = 0; item < count; item++) {
        for (let i = 0; i < width * height; i++) {
          const value = bytes[item * width * height + i];
          image.data.set([value, value, value, 255], 4 * i);
        }
        pen.putImageData(image, (item % columns) * step, Math.floor(item / columns) * pair + row * (height + 1));
      }
    });
  }

  function showPreviews() {
    const epochs = [...previews.keys()].sort((a, b) => a - b);
    const at = nearest(epochs, current);
    for (const group of ["recon", "sample"]) {
      const preview = previews.get(at)?.[group];
      $(group).hidden = !preview;
      if (!preview) continue;
      const canvas = $(group).querySelector("canvas");
      paint(canvas, preview);
      const content = group === "recon" ? "images above their reconstructions" : "samples";
      canvas.setAttribute("aria-label", `${preview.count} ${content}, epoch ${at}`);
    }
    const none = epochs.length === 0 && curves.epochs.length > 0;
    const note = state.note ? `Cannot show the preview: ${state.note}.` : "No preview: add --preview 16 to vae-train.";
    $("note").hidden = !(none || state.note);
    $("note").textContent = note;
    document.body.classList.toggle("plain", none);
  }

  // ---- input

  function go(epoch) {
    current = epoch;
    follow = epoch === epochs.at(-1);
    show();
  }

  $("epoch").addEventListener("input", () => go(epochs[Number($("epoch").value)]));
  $("newest").addEventListener("click", () => go(epochs.at(-1)));
  addEventListener("resize", show);
  addEventListener("focus", listen); // the next run may have been started meanwhile
  listen();
})();
