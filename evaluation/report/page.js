// The charts of the report. Those over time share one window of bars and are drawn anew at every zoom; the others are plotly
// figures that came ready, and only their colors are put in here.
"use strict";

const element = id => document.getElementById(id);
const narrow = matchMedia("(max-width: 640px)"), touch = matchMedia("(pointer: coarse)");
const CONFIG = { displayModeBar: false, doubleClick: false };
const AXIS = {
  gridcolor: "var(--line)", linecolor: "var(--line)", zerolinecolor: "var(--muted)", zeroline: false,
  tickfont: { color: "var(--muted)" } };

let view = [0, time.length]; // bars [from, to)
let shown = Object.fromEntries(strategies.map(strategy => [strategy.name, strategy.shown]));
let candles = {}, marks = {}; // what the price chart holds now
let colors = {}; // "var(--agent)" -> "#2962ff"

// ---- colors, numbers, layouts

function readColors() {
  const style = getComputedStyle(document.documentElement);
  colors = Object.fromEntries(page.colors.map(name => [`var(--${name})`, style.getPropertyValue(`--${name}`).trim()]));
}

function themed(part) {
  if (typeof part === "string") return colors[part] || part;
  if (Array.isArray(part)) return typeof part[0] === "number" ? part : part.map(themed);
  if (!part || typeof part !== "object") return part;
  return Object.fromEntries(Object.entries(part).map(([name, value]) => [name, themed(value)]));
}

const inWords = (value, digits) => value.toLocaleString("en", { maximumFractionDigits: digits });
const price = value => value > 0 && value < 0.1 ? `${+value.toPrecision(4)}` : inWords(value, value < 10 ? 4 : value < 1000 ? 2 : 0);
const amount = value => value >= 1e6 ? value.toLocaleString("en", { notation: "compact" }) : `${+value.toPrecision(3)}`;
const short = value => value >= 1e15 ? value.toExponential(0)
  : value >= (narrow.matches ? 1e6 : 1e7) ? value.toLocaleString("en", { notation: "compact" })
  : inWords(value, value < 0.1 ? 4 : value < 10 ? 2 : value < 100 ? 1 : 0);
const dateOf = bar => new Date(1000 * time[bar]).toISOString().slice(0, BAR < DAY ? 16 : 10).replace("T", " ");

function lasting(seconds) {
  const units = { week: 7 * DAY, day: DAY, hour: HOUR, minute: MINUTE, second: 1 };
  const [unit, size] = Object.entries(units).find(([, size]) => seconds % size === 0);
  return seconds === size ? `1 ${unit}` : `${seconds / size} ${unit}s`;
}

function draw(id, data, layout) {
  const base = {
    paper_bgcolor: "transparent", plot_bgcolor: "transparent", showlegend: false, hovermode: "closest", dragmode: false,
    font: { family: "system-ui, sans-serif", size: narrow.matches ? 11 : 12, color: "var(--text)" },
    hoverlabel: { bgcolor: "var(--card)", bordercolor: "var(--line)", font: { color: "var(--text)" }, namelength: -1 },
    margin: { l: 8, r: 8, t: 8, b: 24 } };
  const axes = Object.fromEntries(["xaxis", "yaxis", "yaxis2"].filter(name => layout[name]).map(
    name => [name, { ...AXIS, automargin: true, fixedrange: true, ...layout[name] }]));
  Plotly.react(id, themed(data), themed({ ...base, ...layout, ...axes }), CONFIG);
}

// ---- the charts over time

const widthOf = id => Math.max(element(id).clientWidth - 60, 200);

// The layout of a chart over the window; all have the same margins, so that they line up.
function overTime(layout) {
  const range = [1000 * time[view[0]] - 500 * BAR, 1000 * time[view[1] - 1] + 500 * BAR];
  const xaxis = { type: "date", range, nticks: narrow.matches ? 4 : 9, showgrid: false, fixedrange: false, ...layout.xaxis };
  const yaxis = { side: "right", automargin: false, ...layout.yaxis };
  const margin = { l: 4, r: narrow.matches ? 48 : 64, t: 8, b: 36 };
  return { dragmode: touch.matches ? false : "zoom", ...layout, margin, xaxis, yaxis };
}

function logRange(lowest, highest, pad) {
  const [a, b] = [Math.log10(lowest), Math.log10(highest)], space = Math.max((b - a) * pad, 0.002);
  return [a - space, b + space];
}

// Candles and triangles, of each as many as fit.
function drawPrice() {
  const [from, to] = view, beside = Math.ceil((to - from) / 4); // drawn to either side, to be there when the chart is dragged
  const seconds = duration(to - from, Math.min(600, Math.floor(widthOf("price") / 3)));
  candles = aggregate(Math.max(0, from - beside), Math.min(time.length, to + beside), seconds);
  marks = fills(from, to, seconds * Math.ceil(9 * (to - from) * BAR / seconds / widthOf("price"))); // 9 pixels, to stand apart
  const lowest = low.subarray(from, to).reduce((a, b) => a < b ? a : b);
  const highest = high.subarray(from, to).reduce((a, b) => a > b ? a : b);
  const range = logRange(lowest, highest, 0.08), away = 10 ** ((range[1] - range[0]) * 0.025);
  draw("price", [
    volumeTrace(), candleTrace(),
    markTrace(marks.buys, "triangle-up", "var(--buy)", sum => sum.low / away),
    markTrace(marks.sells, "triangle-down", "var(--sell)", sum => sum.high * away),
  ], overTime({
    height: narrow.matches ? 340 : 460, hovermode: "x", bargap: 0.2, dragmode: touch.matches ? false : "pan",
    xaxis: { anchor: "y2", rangeslider: { visible: false },
      showspikes: true, spikemode: "across", spikethickness: 1, spikedash: "dot", spikecolor: "var(--muted)" },
    yaxis: { domain: [0.12, 1], type: "log", range,
      tickvals: logTicks(lowest, highest, 7), tickformat: highest < 1 ? ".3~g" : highest < 10 ? ".2f" : ",.0f" },
    yaxis2: { domain: [0, 0.11], range: [0, Math.max(...candles.volume)], showgrid: false, showticklabels: false } }));
  element("candle").textContent = lasting(seconds);
  element("triangle").textContent = lasting(marks.seconds);
  tell(to - 1);
}

function volumeTrace() {
  const color = candles.close.map((value, k) => value < candles.open[k] ? "var(--down)" : "var(--up)");
  return { type: "bar", x: candles.x, y: candles.volume, yaxis: "y2", marker: { color }, opacity: 0.25, hoverinfo: "none" };
}

function candleTrace() {
  const side = color => ({ line: { color, width: 1 }, fillcolor: color });
  return { type: "candlestick", x: candles.x, open: candles.open, high: candles.high, low: candles.low, close: candles.close,
    increasing: side("var(--up)"), decreasing: side("var(--down)"), hoverinfo: "none", whiskerwidth: 0 };
}

function markTrace(side, symbol, color, y) {
  const marker = { symbol, color, size: narrow.matches ? 8 : 10, line: { color: "var(--page)", width: 1 } };
  return { type: "scatter", mode: "markers", x: side.map(sum => sum.x), y: side.map(y), marker, hoverinfo: "none" };
}

// Above the price: the candle under the pointer, and the fills within it.
function tell(bar) {
  const at = Math.max(search(candles.first, bar + 1) - 1, 0);
  const values = Object.entries({ O: "open", H: "high", L: "low", C: "close" }).map(
    ([letter, name]) => `<span><i>${letter}</i> ${price(candles[name][at])}</span>`);
  const here = sum => sum.slot === Math.floor(time[candles.first[at]] / marks.seconds);
  const many = sum => sum.fills > 1 ? `${sum.fills} fills, ` : "";
  const words = sum => `${many(sum)}${amount(sum.coin)} at ${price(sum.value / sum.coin)}`;
  const filled = [
    ...marks.buys.filter(here).map(sum => `<span class="buy">▲ ${words(sum)}</span>`),
    ...marks.sells.filter(here).map(sum => `<span class="sell">▼ ${words(sum)}</span>`)];
  element("told").innerHTML = [`<span>${dateOf(candles.first[at])}</span>`, ...values, ...filled].join("");
}

// The lines of the shown strategies, the agent's last and so on top.
function lines(array, count, format) {
  return strategies.filter(strategy => shown[strategy.name]).map(strategy => ({
    type: "scatter", mode: "lines", name: strategy.name, line: strategy.line, opacity: strategy.opacity,
    hovertemplate: `%{y:${format}}<extra>${strategy.name}</extra>`, ...thin(strategy[array], ...view, count) })).reverse();
}

function drawWorth() {
  const data = lines("worth", widthOf("worth"), ",.0f");
  const values = data.flatMap(trace => trace.y).filter(value => value > 0); // a debt has no place on a log axis
  const [lowest, highest] = values.length ? values.reduce(([a, b], y) => [y < a ? y : a, y > b ? y : b], [Infinity, 0]) : [1, 10];
  const tickvals = logTicks(lowest, highest, 7);
  const yaxis = { type: "log", range: logRange(lowest, highest, 0.04), tickvals, ticktext: tickvals.map(short) };
  draw("worth", data, overTime({ height: narrow.matches ? 300 : 400, yaxis }));
}

function drawDrawdown() {
  const data = lines("drawdown", widthOf("drawdown") / 2, ".1%").map(trace => trace.name === AGENT
    ? { ...trace, line: { ...trace.line, width: 1.2 }, fill: "tozeroy", fillcolor: colors["var(--agent)"] + "2e" }
    : { ...trace, line: { ...trace.line, width: 0.9 } });
  draw("drawdown", data, overTime({ height: 240, yaxis: { tickformat: ".0%", rangemode: "tozero", nticks: 5 } }));
}

function drawExposure() {
  const data = strategies.filter(strategy => strategy.position && shown[strategy.name]).map(strategy => ({
    type: "scatter", mode: "lines", name: strategy.name, opacity: strategy.opacity,
    line: { ...strategy.line, width: strategy.line.width / 2, shape: "hv" },
    ...(strategy.name === AGENT ? { fill: "tozeroy", fillcolor: colors["var(--agent)"] + "33" } : {}),
    hovertemplate: `%{y:.0%}<extra>${strategy.name}</extra>`,
    ...mean(strategy.position, ...view, widthOf("exposure") / 8) })).reverse();
  draw("exposure", data, overTime({ height: 240, yaxis: { tickformat: ".0%", rangemode: "tozero", nticks: 5, zeroline: true } }));
}

// The price is drawn at once; what hangs on it, one after the other as far as it is in sight, or when it comes there.
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
  for (const made of document.querySelectorAll("#ranges [data-bars]")) made.ariaPressed = String(+made.dataset.bars === bars);
  drawTime();
}

// ---- the charts that came ready

function drawReady() {
  for (const [id, figure] of Object.entries(page.figures)) {
    const data = figure.data.filter(trace => !figure.follows || shown[trace.name] !== false);
    draw(id, data, { height: narrow.matches ? 260 : 320, ...structuredClone(figure.layout) });
  }
}

function drawAll() {
  readColors();
  drawTime();
  drawReady();
}

// ---- what the reader can do

function button(text, action, bars) {
  const made = document.createElement("button");
  made.textContent = text;
  made.onclick = action;
  if (bars) made.dataset.bars = bars;
  return made;
}

function legend() {
  document.querySelector(".legend").replaceChildren(...strategies.map(strategy => {
    const made = button("", () => { shown[strategy.name] = !shown[strategy.name]; legend(); drawTime(); drawReady(); });
    const dashes = { dash: "5 3", dot: "2 3", dashdot: "5 2 1 2" }[strategy.line.dash] || "none";
    made.innerHTML = `<svg width="22" height="8"><line x1="1" x2="21" y1="4" y2="4" stroke="${strategy.line.color}" `
      + `stroke-width="${strategy.line.width + 0.6}" stroke-dasharray="${dashes}" opacity="${strategy.opacity}"/></svg>`;
    const times = document.createElement("b");
    times.textContent = `${short(strategy.times)}x`;
    made.append(strategy.name, times);
    made.ariaPressed = String(shown[strategy.name]);
    return made;
  }));
}

function ranges() {
  const middle = () => (view[0] + view[1]) / 2, step = () => Math.round((view[1] - view[0]) * 0.75);
  const sizes = Object.entries({ "1 week": 7, "1 month": 30, "3 months": 91, "1 year": 365 }).map(
    ([name, days]) => [name, Math.round(days * DAY / BAR)]).filter(([, bars]) => bars >= 12 && bars < time.length);
  element("ranges").append(
    button("‹", () => setView(view[0] - step(), view[1] - step())),
    button("›", () => setView(view[0] + step(), view[1] + step())),
    ...sizes.map(([name, bars]) => button(name, () => setView(middle() - bars / 2, middle() + bars / 2), bars)),
    button("all", () => setView(0, time.length), time.length));
  [element("ranges").children[0].ariaLabel, element("ranges").children[1].ariaLabel] = ["earlier", "later"];
}

// Plotly names a moved edge as a date in UTC.
const barAt = edge => search(time, Date.parse(edge.replace(" ", "T").replace(/Z?$/, "Z")) / 1000);

function listen(id) {
  element(id).on("plotly_relayout", change => {
    const [from, to] = change["xaxis.range"] || [change["xaxis.range[0]"], change["xaxis.range[1]"]];
    if (from !== undefined) setView(barAt(from), barAt(to));
  });
  element(id).on("plotly_doubleclick", () => setView(0, time.length));
}

// Ctrl and the wheel (or two fingers) zoom about the pointer, a sideways wheel moves; any other wheel scrolls the page.
function wheel(event) {
  const zooms = event.ctrlKey || event.metaKey, bars = view[1] - view[0], box = element("price").getBoundingClientRect();
  if (!zooms && Math.abs(event.deltaX) <= Math.abs(event.deltaY)) return;
  event.preventDefault();
  const share = (event.clientX - box.left) / widthOf("price");
  const more = zooms ? bars * (2 ** (Math.sign(event.deltaY) * 0.4) - 1) : 0;
  const moved = zooms ? 0 : bars * event.deltaX / box.width;
  setView(view[0] + moved - share * more, view[1] + moved + (1 - share) * more);
}

function turnLight() {
  const dark = getComputedStyle(document.documentElement).colorScheme.includes("dark");
  document.documentElement.dataset.theme = dark ? "light" : "dark";
  drawAll();
}

let drawnAt = document.body.clientWidth; // a phone that hides its bars has been resized, too, but needs no new charts
function resized() {
  if (document.body.clientWidth === drawnAt) return;
  drawnAt = document.body.clientWidth;
  drawAll();
}

ranges();
legend();
readColors();
setView(0, time.length);
Object.entries(hanging).forEach(([id, draw]) => { draw(); sight.observe(element(id)); });
drawReady();
["price", ...Object.keys(hanging)].forEach(listen);
element("price").on("plotly_hover", event => tell(barAt(event.points[0].x)));
element("price").on("plotly_unhover", () => tell(view[1] - 1));
element("price").addEventListener("wheel", wheel, { passive: false });
element("theme").onclick = turnLight;
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
addEventListener("resize", resized);
