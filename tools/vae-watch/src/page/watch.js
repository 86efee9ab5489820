// Asks for news, keeps what comes, and shows one epoch of it: the newest, or the one that the slider is at.
"use strict";

(() => {
  const $ = (id) => document.getElementById(id);
  const CHARTS = [
    ["loss", "Loss", "nats per image"],
    ["recon", "Reconstruction", "nats per image"],
    ["kl", "KL divergence", "nats per image"],
    ["mse", "Squared error", "per pixel"],
  ];
  const AGAIN = 2000; // milliseconds until a lost server is asked again

  let news = { session: "", serial: 0, stage: "waiting" };
  let curves = { epochs: [] };
  const album = new Map(); // pictures by epoch
  let stops = []; // the epochs of the slider
  let now = null; // the epoch that is shown
  let follow = true; // whether it is the newest

  // ---- what comes

  async function ask() {
    const answer = await fetch(`news?session=${news.session}&since=${news.serial}`);
    if (!answer.ok) throw new Error(answer.statusText);
    return answer.json();
  }

  const ended = () => ["finished", "failed"].includes(news.stage);
  let listening = false;
  let later = 0;

  /**
   * For as long as there is something to come; timers play no part, since a page out of sight has slow ones. A run that has
   * ended is asked about once: another may be in its place.
   */
  async function listen() {
    if (listening) return;
    clearTimeout(later);
    listening = true;
    try {
      do take(await ask());
      while (news.more || !ended());
    } catch {
      if (!ended()) {
        news.stage = "lost";
        show();
        later = setTimeout(listen, AGAIN);
      }
    }
    listening = false;
  }

  function take(next) {
    if (next.session !== news.session) {
      album.clear(); // another run of the program
      curves = { epochs: [] };
      follow = true;
    }
    news = next;
    if (next.curves) curves = next.curves;
    for (const epoch of album.keys()) if (!next.kept.includes(epoch)) album.delete(epoch);
    for (const { epoch, recon, sample } of next.pictures) album.set(epoch, { recon: set(recon), sample: set(sample) });
    stops = [...new Set([...curves.epochs, ...album.keys()])].sort((a, b) => a - b);
    if (follow || now === null) now = stops.at(-1) ?? null;
    else now = nearest(stops, now);
    show();
  }

  function set(pictures) {
    const bytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    return pictures && { ...pictures, rows: pictures.rows.map(({ bytes: text }) => bytes(text)) };
  }

  /** Of rising epochs the last up to this one, or else the first. */
  const nearest = (epochs, wanted) => epochs.findLast((epoch) => epoch <= wanted) ?? epochs[0] ?? null;

  // ---- what is shown

  function part(tag, ...inside) {
    const made = document.createElement(tag);
    made.append(...inside);
    return made;
  }

  let waiting = false;

  /** Once for all changes before the next frame. */
  function show() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      showStatus();
      showFacts();
      showSlider();
      showPictures(); // first: without any, the charts have more room
      showLosses();
    });
  }

  function showStatus() {
    const { stage, message, epoch, epochs } = news;
    const place = epoch === null || epoch === undefined ? "" : `epoch ${epoch}${epochs ? ` of ${epochs}` : ""}`;
    const text = {
      waiting: "Waiting for the stream",
      live: place ? `Live: ${place}` : "Live: the first epoch is under way",
      finished: place ? `Finished: ${place}` : "Finished: the stream held no losses",
      failed: `Stopped${place && ` at ${place}`}: ${message}`,
      lost: "Connection lost: this page keeps what it has, and goes on when vae-watch is back",
    }[stage];
    $("status").dataset.stage = stage;
    if ($("stage").textContent !== text) $("stage").textContent = text;
    document.title = place ? `${place} – vae-watch` : "vae-watch";
  }

  function showFacts() {
    const { network, objective, training, data, device } = news.run ?? {};
    const widths = network?.image && [network.image[0] * network.image[1], ...(network.hidden ?? []), network.latent];
    const likelihood = objective?.likelihood;
    const steps = network?.kind === "pca" ? null : training; // principal components are found in none
    const facts = {
      Network: widths && `${network.kind === "mlp" ? "" : `${network.kind} `}${widths.join(" – ")}`,
      Likelihood: typeof likelihood === "string" ? likelihood : likelihood && Object.keys(likelihood)[0],
      Beta: objective?.beta,
      Images: data?.images,
      Batch: steps?.batch,
      "Learning rate": steps?.lr,
      Seed: training?.seed,
      Device: device,
    };
    const entries = Object.entries(facts).filter(([, fact]) => ["string", "number"].includes(typeof fact));
    const known = JSON.stringify(entries);
    if ($("facts").dataset.known === known) return;
    $("facts").dataset.known = known;
    const entry = ([name, fact]) => part("div", part("dt", name), part("dd", fact));
    $("facts").replaceChildren(...entries.map(entry));
  }

  function showSlider() {
    const slider = $("epoch");
    $("when").hidden = stops.length === 0;
    if (stops.length === 0) return;
    slider.max = stops.length - 1;
    slider.value = stops.indexOf(now);
    slider.disabled = stops.length < 2;
    $("at").textContent = `${now} of ${news.epochs ?? stops.at(-1)}`;
    slider.setAttribute("aria-valuetext", `epoch ${now}`);
    $("newest").disabled = follow;
  }

  // ---- losses

  const figures = new Map();

  /** A figure for a number: its name, what it is at this epoch, and its chart. */
  function figure([key, name, unit]) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("role", "img");
    const values = {};
    for (const who of ["test", "train"]) {
      values[who] = part("span", part("i"), `${who} `, part("output"));
      values[who].className = who;
    }
    const caption = part("figcaption", part("b", `${name} `, part("small", unit)), ...Object.values(values));
    const whole = part("figure", caption, svg);
    whole.id = `chart-${key}`;
    const made = { whole, svg, values, pick: null };
    const pick = (event) => go(nearest(stops, made.pick(event.clientX - svg.getBoundingClientRect().left)));
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
    const { epochs } = curves;
    $("losses").hidden = epochs.length === 0;
    const at = nearest(epochs, now);
    for (const chart of CHARTS) {
      const [key, name] = chart;
      if (!figures.has(key)) figures.set(key, figure(chart));
      const { whole, svg, values } = figures.get(key);
      const lines = curves[key];
      whole.hidden = !lines;
      if (!lines) continue;
      figures.get(key).pick = drawChart(svg, epochs, lines, at);
      const said = Object.entries(values).map(([who, span]) => {
        span.hidden = !lines[who];
        if (!lines[who]) return "";
        const value = shown(lines[who][epochs.indexOf(at)]);
        span.querySelector("output").textContent = value;
        return `, ${who} ${value}`;
      });
      svg.setAttribute("aria-label", `${name} by epoch; at epoch ${at}${said.join("")}`);
    }
  }

  // ---- pictures

  const GAP = 2;

  /** Rows of images, each image above the one that belongs to it. */
  function paint(canvas, { size: [height, width], count, rows }) {
    const across = Math.min(count, count > 32 ? 12 : 8);
    const down = Math.ceil(count / across);
    const [step, between] = [width + GAP, rows.length > 1 ? 2 * GAP : GAP];
    const pair = rows.length * (height + 1) - 1 + between;
    canvas.width = across * step - GAP;
    canvas.height = down * pair - between;
    canvas.style.maxWidth = `${across * 4.5}rem`;
    const pen = canvas.getContext("2d");
    const image = new ImageData(width, height);
    rows.forEach((bytes, row) => {
      for (let item = 0; item < count; item++) {
        for (let i = 0; i < width * height; i++) {
          const value = bytes[item * width * height + i];
          image.data.set([value, value, value, 255], 4 * i);
        }
        pen.putImageData(image, (item % across) * step, Math.floor(item / across) * pair + row * (height + 1));
      }
    });
  }

  function showPictures() {
    const epochs = [...album.keys()].sort((a, b) => a - b);
    const at = nearest(epochs, now);
    const pictures = album.get(at) ?? {};
    for (const group of ["recon", "sample"]) {
      const set = pictures[group];
      $(group).hidden = !set;
      if (!set) continue;
      const canvas = $(group).querySelector("canvas");
      paint(canvas, set);
      canvas.setAttribute("aria-label", `${set.count} ${group === "recon" ? "images above their reconstructions" : "draws"}, epoch ${at}`);
    }
    const none = epochs.length === 0 && curves.epochs.length > 0;
    const note = news.note ? `The pictures cannot be shown: ${news.note}.` : "No pictures: vae-train --preview 16 sends some.";
    $("note").hidden = !(none || news.note);
    $("note").textContent = note;
    document.body.classList.toggle("plain", none);
  }

  // ---- what moves it

  function go(epoch) {
    now = epoch;
    follow = epoch === stops.at(-1);
    show();
  }

  $("epoch").addEventListener("input", () => go(stops[Number($("epoch").value)]));
  $("newest").addEventListener("click", () => go(stops.at(-1)));
  addEventListener("resize", show);
  addEventListener("focus", listen); // somebody is back, perhaps from the terminal where the next run was started
  listen();
})();
