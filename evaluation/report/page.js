// The charts of the report. Those over time are drawn from the arrays in the page, in as much detail as fits the width: zooming
// in brings the detail out. The others are plotly figures that came ready; only their colors are put in here.
"use strict";

const page = JSON.parse(document.getElementById("data").textContent);
const element = id => document.getElementById(id);
const unpack = (text, Type) => new Type(Uint8Array.from(atob(text), c => c.charCodeAt(0)).buffer);
const narrow = matchMedia("(max-width: 640px)");
const touch = matchMedia("(pointer: coarse)");

// ---- the arrays

const time = unpack(page.series.time, Int32Array); // seconds
const [open, high, low, close, volume] = ["open", "high", "low", "close", "volume"].map(name => unpack(page.series[name], Float32Array));
const trades = Object.fromEntries(Object.entries(page.series.trades).map(([name, text]) =>
  [name, unpack(text, { bar: Int32Array, bought: Uint8Array }[name] || Float32Array)]));
const strategies = page.series.strategies.map(strategy => {
  const worth = unpack(strategy.net_worth, Float32Array);
  return { ...strategy, worth, drawdown: drawdown(worth), position: strategy.position && unpack(strategy.position, Float32Array) };
});
const MINUTE = 60, HOUR = 3600, DAY = 86400;
const DURATIONS = [1, 3, 5, 10, 15, 30].map(n => n * MINUTE).concat([1, 2, 3, 4, 6, 8, 12].map(n => n * HOUR),
  [1, 2, 3, 4, 5, 7, 10, 14, 28, 84, 168, 336].map(n => n * DAY));

function drawdown(worth) {
  let peak = -Infinity;
  return worth.map(value => { peak = value > peak ? value : peak; return value / peak - 1; });
}

// ---- as much detail as fits

// The shortest round duration, a multiple of a bar, of which at most `limit` cover `bars` bars.
function duration(bars, limit) {
  const bar = page.series.bar;
  return DURATIONS.find(seconds => seconds % bar === 0 && bars * bar / seconds <= limit) || bar * Math.ceil(bars / limit);
}

// Candles of `seconds` each over the bars [from, to): their first bars, opens, highs, lows, closes, volumes.
function aggregate(from, to, seconds) {
  const out = { x: [], first: [], open: [], high: [], low: [], close: [], volume: [] };
  let slot = NaN, last = -1;
  for (let i = from; i < to; i++) {
    const own = Math.floor(time[i] / seconds);
    if (own !== slot) {
      slot = own; last++;
      out.x.push(1000 * (own * seconds + (seconds - page.series.bar) / 2)); // the middle of the bars' open times
      out.first.push(i); out.open.push(open[i]); out.high.push(high[i]); out.low.push(low[i]); out.close.push(close[i]);
      out.volume.push(volume[i]);
    } else {
      if (high[i] > out.high[last]) out.high[last] = high[i];
      if (low[i] < out.low[last]) out.low[last] = low[i];
      out.close[last] = close[i];
      out.volume[last] += volume[i];
    }
  }
  return out;
}

// Index of the first entry of a sorted array that is at least `value`.
function search(array, value) {
  let [a, b] = [0, array.length];
  while (a < b) { const middle = (a + b) >> 1; if (array[middle] < value) a = middle + 1; else b = middle; }
  return a;
}

// Fills over the bars [from, to), added up by side within the candle of `seconds` that they fall in.
function fills(from, to, seconds) {
  const candles = aggregate(from, to, seconds);
  const sides = [new Map(), new Map()];
  for (let k = search(trades.bar, from); k < trades.bar.length && trades.bar[k] < to; k++) {
    const at = search(candles.first, trades.bar[k] + 1) - 1;
    const side = sides[trades.bought[k]];
    const sum = side.get(at) || { x: candles.x[at], high: candles.high[at], low: candles.low[at], fills: 0, coin: 0, value: 0 };
    sum.fills++; sum.coin += trades.coin[k]; sum.value += trades.coin[k] * trades.price[k];
    side.set(at, sum);
  }
  return sides.map(side => [...side.values()]);
}

// The lowest and the highest of each of `count` stretches, in their order: a line that looks as the whole one does.
function thin(values, from, to, count) {
  const x = [], y = [], size = Math.max(1, (to - from) / count);
  const push = i => { x.push(1000 * time[i]); y.push(Number.isNaN(values[i]) ? null : values[i]); };
  for (let start = from; start < to; start += size) {
    const [first, end] = [Math.round(start), Math.min(Math.round(start + size), to)];
    let [lowest, highest] = [first, first];
    for (let i = first; i < end; i++) {
      if (values[i] < values[lowest]) lowest = i;
      if (values[i] > values[highest]) highest = i;
    }
    if (first < end) push(Math.min(lowest, highest));
    if (lowest !== highest) push(Math.max(lowest, highest));
  }
  return { x, y };
}

// The mean of each of `count` stretches.
function mean(values, from, to, count) {
  const x = [], y = [], size = Math.max(1, (to - from) / count);
  for (let start = from; start < to; start += size) {
    const [first, end] = [Math.round(start), Math.min(Math.round(start + size), to)];
    let sum = 0;
    for (let i = first; i < end; i++) sum += values[i];
    if (first < end) { x.push(1000 * time[first]); y.push(Number.isNaN(sum) ? null : sum / (end - first)); }
  }
  return { x, y };
}

// ---- how everything looks

let colors = {};
const readColors = () => {
  const style = getComputedStyle(document.documentElement);
  colors = Object.fromEntries(page.colors.map(name => [`var(--${name})`, style.getPropertyValue(`--${name}`).trim()]));
};
const themed = part => typeof part === "string" ? colors[part] || part : Array.isArray(part) ? part.map(themed)
  : part && typeof part === "object" && !ArrayBuffer.isView(part) ? Object.fromEntries(Object.entries(part).map(([k, v]) => [k, themed(v)])) : part;
const AXIS = { gridcolor: "var(--line)", linecolor: "var(--line)", zeroline: false, zerolinecolor: "var(--muted)", 
  tickfont: { color: "var(--muted)" } };
const CONFIG = { displayModeBar: false, responsive: false, doubleClick: false };

function layoutOf(given, time) {
  const layout = {
    paper_bgcolor: "transparent", plot_bgcolor: "transparent", showlegend: false, hovermode: "closest",
    font: { family: "system-ui, sans-serif", size: narrow.matches ? 11 : 12, color: "var(--text)" },
    hoverlabel: { bgcolor: "var(--card)", bordercolor: "var(--line)", font: { color: "var(--text)" }, namelength: -1 },
    margin: { l: 8, r: 8, t: 8, b: 24 }, ...given };
  if (time) layout.margin = { l: 4, r: narrow.matches ? 48 : 64, t: 8, b: 24 }; // the same in all, so that they line up
  layout.dragmode = touch.matches || !time ? false : layout.dragmode || "zoom";
  for (const name of ["xaxis", "yaxis", "yaxis2"]) if (layout[name]) layout[name] = { ...AXIS, automargin: !time, fixedrange: !time || name !== "xaxis", ...layout[name] };
  return themed(layout);
}

// Round numbers for a log axis: of a narrow range, those of a linear one.
function logTicks(lowest, highest, most) {
  const out = [];
  if (!(lowest > 0)) return out;
  if (highest / lowest < 4) {
    const raw = (highest - lowest) / most, power = 10 ** Math.floor(Math.log10(raw));
    const step = power * [1, 2, 5, 10].find(n => n * power >= raw);
    for (let k = Math.ceil(lowest / step); k * step <= highest; k++) out.push(k * step);
    return out;
  }
  const decades = Math.log10(highest / lowest);
  const heads = decades < 1.2 ? [1, 1.5, 2, 3, 5, 7] : decades < 2.5 ? [1, 2, 5] : [1];
  const every = Math.max(1, Math.round(decades / most));
  for (let power = Math.floor(Math.log10(lowest)); power <= Math.log10(highest); power++)
    if (decades < 2.5 || power % every === 0) for (const head of heads) if (head * 10 ** power >= lowest && head * 10 ** power <= highest) out.push(head * 10 ** power);
  return out;
}

const short = value => value >= 1e15 ? value.toExponential(0) : value >= (narrow.matches ? 1e6 : 1e7) ? value.toLocaleString("en", { notation: "compact" }) : value.toLocaleString("en", { maximumFractionDigits: value < 1 ? 4 : value < 10 ? 2 : value < 100 ? 1 : 0 });
const dates = bar => new Date(1000 * time[bar]).toISOString().slice(0, page.series.bar < DAY ? 16 : 10).replace("T", " ");
const lasting = seconds => {
  const [size, unit] = seconds % (7 * DAY) === 0 ? [7 * DAY, "week"] : seconds % DAY === 0 ? [DAY, "day"] : seconds % HOUR === 0 ? [HOUR, "hour"] : [MINUTE, "minute"];
  return seconds === size ? `1 ${unit}` : `${+(seconds / size).toFixed(1)} ${unit}s`;
};

// ---- the charts over time, which share one window of bars

let view = [0, time.length]; // bars [from, to)
let shown = Object.fromEntries(strategies.map(strategy => [strategy.name, strategy.shown]));
const widthOf = id => Math.max(element(id).clientWidth - 60, 200);
const axisOfTime = () => {
  const pad = 1000 * page.series.bar / 2;
  return { type: "date", range: [1000 * time[view[0]] - pad, 1000 * time[view[1] - 1] + pad], nticks: narrow.matches ? 4 : 9, showgrid: false };
};
const logRange = (lowest, highest, pad = 0.04) => {
  const [a, b] = [Math.log10(lowest), Math.log10(highest)], space = Math.max((b - a) * pad, 0.002);
  return [a - space, b + space];
};

let candles = {}, marks = []; // what the price chart shows now
function drawPrice() {
  const bars = view[1] - view[0];
  const seconds = duration(bars, Math.min(600, Math.floor(widthOf("price") / 3)));
  const margin = Math.ceil(bars / 4); // drawn to either side, to be there when the chart is dragged
  candles = aggregate(Math.max(0, view[0] - margin), Math.min(time.length, view[1] + margin), seconds);
  const most = Math.floor(widthOf("price") / 7);
  let stride = seconds;
  do { marks = fills(view[0], view[1], stride); stride *= 2; } while (marks[0].length + marks[1].length > most);
  stride /= 2;
  let [lowest, highest] = [Infinity, -Infinity];
  for (let i = view[0]; i < view[1]; i++) { if (low[i] < lowest) lowest = low[i]; if (high[i] > highest) highest = high[i]; }
  const range = logRange(lowest, highest, 0.08), away = 10 ** ((range[1] - range[0]) * 0.025);
  const up = { line: { color: "var(--up)", width: 1 }, fillcolor: "var(--up)" }, down = { line: { color: "var(--down)", width: 1 }, fillcolor: "var(--down)" };
  const mark = (side, symbol, color, y) => ({ type: "scatter", mode: "markers", x: side.map(sum => sum.x), y: side.map(y), hoverinfo: "none",
    marker: { symbol, color, size: narrow.matches ? 8 : 10, line: { color: "var(--page)", width: 1 } }, cliponaxis: false });
  const tall = Math.max(...candles.volume);
  const data = [
    { type: "bar", x: candles.x, y: candles.volume, yaxis: "y2", marker: { color: candles.close.map((value, k) => value < candles.open[k] ? "var(--down)" : "var(--up)") },
      opacity: 0.25, hoverinfo: "none" },
    { type: "candlestick", x: candles.x, open: candles.open, high: candles.high, low: candles.low, close: candles.close, increasing: up, decreasing: down, hoverinfo: "none", whiskerwidth: 0 },
    mark(marks[1], "triangle-up", "var(--buy)", sum => sum.low / away),
    mark(marks[0], "triangle-down", "var(--sell)", sum => sum.high * away),
  ];
  const layout = {
    hovermode: "x", dragmode: "pan", height: narrow.matches ? 340 : 460, bargap: 0.2,
    xaxis: { ...axisOfTime(), anchor: "y2", rangeslider: { visible: false }, showspikes: true, spikemode: "across", spikethickness: 1, spikedash: "dot", spikecolor: "var(--muted)" },
    yaxis: { type: "log", side: "right", range, tickvals: logTicks(lowest, highest, 7), tickformat: highest < 10 ? ".2f" : ",.0f", domain: [0.12, 1] },
    yaxis2: { domain: [0, 0.11], range: [0, tall], showgrid: false, showticklabels: false },
  };
  Plotly.react("price", themed(data), layoutOf(layout, true), CONFIG);
  element("candle").textContent = lasting(seconds);
  element("triangle").textContent = lasting(stride);
  tell(view[1] - 1);
}

// Above the price: the candle under the pointer and the fills within it.
function tell(bar) {
  const at = search(candles.first, bar + 1) - 1;
  if (at < 0) return;
  const value = (name, number) => `<span><i>${name}</i> ${number}</span>`;
  const digits = value => value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 4 : value < 1000 ? 2 : 0 });
  const words = [1, 0].flatMap(side => marks[side].filter(sum => sum.x === candles.x[at]).map(sum =>
    `<span class="${side ? "buy" : "sell"}">${side ? "▲" : "▼"} ${sum.fills > 1 ? `${sum.fills} fills, ` : ""}${+sum.coin.toPrecision(3)} at ${digits(sum.value / sum.coin)}</span>`));
  element("told").innerHTML = `<span>${dates(candles.first[at])}</span>` + value("O", digits(candles.open[at])) + value("H", digits(candles.high[at]))
    + value("L", digits(candles.low[at])) + value("C", digits(candles.close[at])) + words.join("");
}

function lines(array, count, text) {
  return strategies.filter(strategy => shown[strategy.name]).map(strategy => ({
    type: "scatter", mode: "lines", name: strategy.name, line: strategy.line, opacity: strategy.opacity, connectgaps: false,
    hovertemplate: text(strategy), ...thin(strategy[array], view[0], view[1], count) })).reverse();
}

function drawWorth() {
  const data = lines("worth", widthOf("worth"), strategy => `%{y:,.0f}<extra>${strategy.name}</extra>`);
  let [lowest, highest] = [Infinity, -Infinity];
  for (const trace of data) for (const value of trace.y) if (value > 0) { lowest = Math.min(lowest, value); highest = Math.max(highest, value); }
  const none = lowest > highest;
  const yaxis = { type: "log", side: "right", range: none ? [3, 5] : logRange(lowest, highest), tickvals: logTicks(lowest, highest, 7) };
  yaxis.ticktext = yaxis.tickvals.map(short);
  Plotly.react("worth", themed(data), layoutOf({ height: narrow.matches ? 300 : 400, xaxis: axisOfTime(), yaxis }, true), CONFIG);
}

function drawDrawdown() {
  const data = lines("drawdown", widthOf("drawdown") / 2, strategy => `%{y:.1%}<extra>${strategy.name}</extra>`);
  for (const trace of data) Object.assign(trace, trace.name === strategies[0].name
    ? { line: { ...trace.line, width: 1.2 }, fill: "tozeroy", fillcolor: colors["var(--agent)"] + "2e" } : { line: { ...trace.line, width: 0.9 } });
  const yaxis = { side: "right", tickformat: ".0%", rangemode: "tozero", nticks: 5 };
  Plotly.react("drawdown", themed(data), layoutOf({ height: 240, xaxis: axisOfTime(), yaxis }, true), CONFIG);
}

function drawExposure() {
  const data = strategies.filter(strategy => strategy.position && shown[strategy.name]).map((strategy, k) => ({
    type: "scatter", mode: "lines", name: strategy.name, opacity: strategy.opacity,
    line: { ...strategy.line, width: strategy.line.width / 2, shape: "hv" }, hovertemplate: `%{y:.0%}<extra>${strategy.name}</extra>`,
    ...(strategy.name === strategies[0].name ? { fill: "tozeroy", fillcolor: colors["var(--agent)"] + "33" } : {}),
    ...mean(strategy.position, view[0], view[1], widthOf("exposure") / 8) })).reverse();
  const yaxis = { side: "right", tickformat: ".0%", rangemode: "tozero", nticks: 5, zeroline: true };
  Plotly.react("exposure", themed(data), layoutOf({ height: 240, xaxis: axisOfTime(), yaxis }, true), CONFIG);
}

// The price at once; those that hang on it one after the other, as far as they are in sight, the others when they come there.
const hanging = { worth: drawWorth, drawdown: drawDrawdown, exposure: drawExposure };
const inSight = new Set(), stale = new Set();
function freshen() {
  const id = [...stale].find(id => inSight.has(id));
  if (!id) return;
  stale.delete(id);
  hanging[id]();
  setTimeout(freshen, 0);
}
const sight = new IntersectionObserver(changes => {
  for (const change of changes) inSight[change.isIntersecting ? "add" : "delete"](change.target.id);
  freshen();
}, { rootMargin: "200px" });

function drawTime() {
  drawPrice();
  Object.keys(hanging).forEach(id => stale.add(id));
  setTimeout(freshen, 0);
}

function setView(from, to) {
  const bars = Math.min(Math.max(Math.round(to - from), 12), time.length);
  const first = Math.min(Math.max(Math.round(from), 0), time.length - bars);
  view = [first, first + bars];
  for (const button of document.querySelectorAll("#ranges [data-bars]")) button.ariaPressed = String(+button.dataset.bars === bars);
  drawTime();
}

// ---- the charts that came ready

function drawReady() {
  for (const [id, figure] of Object.entries(page.figures)) {
    const data = figure.data.map(trace => trace.name in shown ? { ...trace, visible: shown[trace.name] || !figure.follows } : trace);
    Plotly.react(id, themed(data), layoutOf({ height: narrow.matches ? 260 : 320, ...structuredClone(figure.layout) }, false), CONFIG);
  }
}

// ---- what the reader can do

function legend() {
  for (const place of document.querySelectorAll(".legend")) {
    place.replaceChildren(...strategies.map(strategy => {
      const button = document.createElement("button");
      button.ariaPressed = String(shown[strategy.name]);
      button.innerHTML = `<svg width="22" height="8"><line x1="1" x2="21" y1="4" y2="4" stroke="${strategy.line.color}" stroke-width="${strategy.line.width + 0.6}"
        stroke-dasharray="${{ dash: "5 3", dot: "2 3" }[strategy.line.dash] || ""}" opacity="${strategy.opacity}"/></svg>`;
      button.append(strategy.name);
      { const end = document.createElement("b"); end.textContent = `${short(strategy.times)}x`; button.append(end); }
      button.onclick = () => { shown[strategy.name] = !shown[strategy.name]; legend(); drawTime(); drawReady(); };
      return button;
    }));
  }
}

function ranges() {
  const sizes = [["1 week", 7], ["1 month", 30], ["3 months", 91], ["1 year", 365]].map(([name, days]) => [name, Math.round(days * DAY / page.series.bar)]);
  const make = (text, action, bars) => {
    const button = document.createElement("button");
    button.textContent = text; button.onclick = action;
    if (bars) button.dataset.bars = bars;
    return button;
  };
  const middle = () => (view[0] + view[1]) / 2, step = () => Math.round((view[1] - view[0]) * 0.75);
  element("ranges").append(
    make("‹", () => setView(view[0] - step(), view[1] - step())), make("›", () => setView(view[0] + step(), view[1] + step())),
    ...sizes.filter(([, bars]) => bars >= 12 && bars < time.length).map(([name, bars]) => make(name, () => setView(middle() - bars / 2, middle() + bars / 2), bars)),
    make("all", () => setView(0, time.length), time.length));
  element("ranges").firstChild.ariaLabel = "earlier"; element("ranges").children[1].ariaLabel = "later";
}

// Plotly names a moved edge as a date in UTC.
const barAt = edge => search(time, (typeof edge === "number" ? edge : Date.parse(edge.replace(" ", "T").replace(/Z?$/, "Z"))) / 1000);
function listen(id) {
  element(id).on("plotly_relayout", change => {
    const range = change["xaxis.range"] || [change["xaxis.range[0]"], change["xaxis.range[1]"]];
    if (range[0] !== undefined) setView(barAt(range[0]), barAt(range[1]));
  });
  element(id).on("plotly_doubleclick", () => setView(0, time.length));
}

function listenToWheel() {
  element("price").addEventListener("wheel", event => {
    if (!event.ctrlKey && !event.metaKey && Math.abs(event.deltaX) <= Math.abs(event.deltaY)) return; // the reader scrolls the page
    event.preventDefault();
    const bars = view[1] - view[0], box = element("price").getBoundingClientRect();
    if (event.ctrlKey || event.metaKey) {
      const share = (event.clientX - box.left) / (box.width - 50), factor = 2 ** (Math.sign(event.deltaY) * 0.4);
      setView(view[0] + bars * share * (1 - factor), view[1] - bars * (1 - share) * (1 - factor));
    } else setView(view[0] + bars * event.deltaX / box.width, view[1] + bars * event.deltaX / box.width);
  }, { passive: false });
}

function drawAll() { readColors(); drawTime(); drawReady(); }

element("theme").onclick = () => {
  const dark = getComputedStyle(document.documentElement).colorScheme.includes("dark");
  document.documentElement.dataset.theme = dark ? "light" : "dark";
  drawAll();
};
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);

ranges();
legend();
readColors();
setView(0, time.length);
Object.entries(hanging).forEach(([id, draw]) => { draw(); sight.observe(element(id)); });
drawReady();
["price", "worth", "drawdown", "exposure"].forEach(listen);
element("price").on("plotly_hover", event => tell(barAt(event.points[0].x + 1)));
element("price").on("plotly_unhover", () => tell(view[1] - 1));
listenToWheel();
let width = document.body.clientWidth;
addEventListener("resize", () => { if (document.body.clientWidth !== width) { width = document.body.clientWidth; drawAll(); } });
