// A line chart over epochs, in SVG.
"use strict";

/** Ticks between low and high, 1, 2 or 5 times a power of ten apart; as in vae-plot, axis.rs. */
function ticks(low, high, most) {
  const rough = (high - low) / most || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((k) => k * power >= rough * 0.999);
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  return Array.from({ length: Math.max(0, count) }, (_, k) => Number(((first + k) * step).toPrecision(12)));
}

/** A number to about four digits. */
function format(value) {
  if (value === null || value === undefined) return "–";
  const digits = Math.max(0, 3 - Math.floor(Math.log10(Math.abs(value) || 1)));
  return value.toFixed(Math.min(digits, 5));
}

/**
 * Draws `lines`, {name: [value or null, ..]}, over `epochs` into an svg, with a line at the epoch `current`. Gives a
 * function from an x coordinate, in pixels, to the nearest epoch.
 */
function drawChart(svg, epochs, lines, current) {
  const [width, height] = [svg.clientWidth || 600, svg.clientHeight || 176];
  const values = Object.values(lines).flat().filter((v) => v !== null);
  let [low, high] = values.length ? [Math.min(...values), Math.max(...values)] : [0, 1];
  const margin = 0.06 * (high - low) || 0.05 * Math.abs(high) || 0.5;
  [low, high] = [low - margin, high + margin];
  const [first, last] = [epochs[0], epochs[epochs.length - 1]];
  const levels = ticks(low, high, 4);
  const names = levels.map((v) => (Math.abs(v) >= 1e5 ? v.toExponential() : String(v)));
  const longest = Math.max(...names.map((name) => name.length), 1);
  const [left, right, top, bottom] = [Math.max(56, 12 + 7 * longest), 10, 8, 26];
  const x = (epoch) => (last === first ? (left + width - right) / 2 : left + ((width - left - right) * (epoch - first)) / (last - first));
  const y = (value) => height - bottom - ((height - top - bottom) * (value - low)) / (high - low);

  const parts = [];
  const add = (tag, attributes, text) => {
    const part = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) part.setAttribute(name, value);
    if (text !== undefined) part.textContent = text;
    parts.push(part);
  };
  levels.forEach((level, i) => {
    add("line", { class: "grid", x1: left, x2: width - right, y1: y(level), y2: y(level) });
    add("text", { x: left - 6, y: y(level) + 4, "text-anchor": "end" }, names[i]);
  });
  const most = Math.max(1, Math.min(8, Math.floor((width - left) / 60)));
  for (const epoch of ticks(first, last, most).filter(Number.isInteger)) {
    add("text", { x: x(epoch), y: height - 6, "text-anchor": "middle" }, epoch);
  }
  add("text", { x: left - 18, y: height - 6, "text-anchor": "end" }, "epoch");
  if (epochs.includes(current)) add("line", { class: "now", x1: x(current), x2: x(current), y1: top, y2: height - bottom });
  for (const [name, line] of Object.entries(lines)) {
    let pen = "M";
    const path = line.map((value, i) => {
      if (value === null) {
        pen = "M";
        return "";
      }
      const point = `${pen}${x(epochs[i]).toFixed(1)},${y(value).toFixed(1)}`;
      pen = "L";
      return point;
    });
    add("path", { class: name, d: path.join("") });
    const value = line[epochs.indexOf(current)];
    if (typeof value === "number") add("circle", { class: name, cx: x(current), cy: y(value), r: 4 });
  }
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.replaceChildren(...parts);

  const epochAt = (pixel) => first + ((pixel - left) / (width - left - right)) * (last - first);
  const nearer = (wanted) => (a, b) => (Math.abs(b - wanted) < Math.abs(a - wanted) ? b : a);
  return (pixel) => epochs.reduce(nearer(epochAt(pixel)));
}
