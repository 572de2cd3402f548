// The bars of the report, and how many of them fit into a width: what is drawn is always a few hundred candles or points.
"use strict";

const page = JSON.parse(document.getElementById("data").textContent);
const unpack = (text, Type) => new Type(Uint8Array.from(atob(text), c => c.charCodeAt(0)).buffer);

const BAR = page.series.bar; // seconds
const time = unpack(page.series.time, Int32Array); // seconds
const [open, high, low, close, volume] = ["open", "high", "low", "close", "volume"].map(
  name => unpack(page.series[name], Float32Array));
const trades = {
  bar: unpack(page.series.trades.bar, Int32Array), bought: unpack(page.series.trades.bought, Uint8Array),
  coin: unpack(page.series.trades.coin, Float32Array), price: unpack(page.series.trades.price, Float32Array) };
const strategies = page.series.strategies.map(strategy => {
  const worth = unpack(strategy.net_worth, Float32Array);
  const position = strategy.position && unpack(strategy.position, Float32Array);
  return { ...strategy, worth, position, drawdown: drawdown(worth) };
});
const AGENT = strategies[0].name;

function drawdown(worth) {
  let peak = -Infinity;
  return worth.map(value => { peak = value > peak ? value : peak; return value / peak - 1; });
}

const MINUTE = 60, HOUR = 3600, DAY = 86400;
const DURATIONS = [
  ...[1, 3, 5, 10, 15, 30].map(n => n * MINUTE), ...[1, 2, 3, 4, 6, 8, 12].map(n => n * HOUR),
  ...[1, 2, 3, 4, 5, 7, 10, 14, 28, 84, 168, 336].map(n => n * DAY)];

// The shortest round duration, a multiple of a bar, of which at most `limit` cover `bars` bars.
function duration(bars, limit) {
  return DURATIONS.find(seconds => seconds % BAR === 0 && bars * BAR / seconds <= limit) || BAR * Math.ceil(bars / limit);
}

// Candles of `seconds` each over the bars [from, to). `first` is a candle's first bar, `x` the middle of its bars' open times.
function aggregate(from, to, seconds) {
  const out = { x: [], first: [], open: [], high: [], low: [], close: [], volume: [] };
  let slot = NaN, last = -1;
  for (let i = from; i < to; i++) {
    const own = Math.floor(time[i] / seconds);
    if (own !== slot) {
      slot = own; last++;
      out.x.push(1000 * (own * seconds + (seconds - BAR) / 2)); out.first.push(i);
      out.open.push(open[i]); out.high.push(high[i]); out.low.push(low[i]); out.close.push(close[i]); out.volume.push(volume[i]);
    } else {
      if (high[i] > out.high[last]) out.high[last] = high[i];
      if (low[i] < out.low[last]) out.low[last] = low[i];
      out.close[last] = close[i];
      out.volume[last] += volume[i];
    }
  }
  return out;
}

// The agent's fills over the bars [from, to), added up by side within the candle of `seconds` that they fall in, its `slot`.
function fills(from, to, seconds) {
  const candles = aggregate(from, to, seconds), sells = new Map(), buys = new Map();
  for (let k = search(trades.bar, from); k < trades.bar.length && trades.bar[k] < to; k++) {
    const at = search(candles.first, trades.bar[k] + 1) - 1, side = trades.bought[k] ? buys : sells;
    const sum = side.get(at) || {
      slot: Math.floor(time[trades.bar[k]] / seconds), x: candles.x[at], high: candles.high[at], low: candles.low[at],
      fills: 0, coin: 0, value: 0 };
    sum.fills++; sum.coin += trades.coin[k]; sum.value += trades.coin[k] * trades.price[k];
    side.set(at, sum);
  }
  return { seconds, sells: [...sells.values()], buys: [...buys.values()] };
}

// Index of the first entry of a sorted array that is at least `value`.
function search(array, value) {
  let [a, b] = [0, array.length];
  while (a < b) { const middle = (a + b) >> 1; if (array[middle] < value) a = middle + 1; else b = middle; }
  return a;
}

// [first, end) of each of at most `count` stretches of the bars [from, to).
function stretches(from, to, count) {
  const size = Math.max(1, (to - from) / count), out = [];
  for (let start = from; Math.round(start) < to; start += size)
    out.push([Math.round(start), Math.min(Math.round(start + size), to)]);
  return out;
}

// The lowest and the highest of each stretch, in their order: a line that looks as the whole one does.
function thin(values, from, to, count) {
  const chosen = stretches(from, to, count).flatMap(([first, end]) => {
    let [lowest, highest] = [first, first];
    for (let i = first + 1; i < end; i++) {
      if (values[i] < values[lowest]) lowest = i;
      if (values[i] > values[highest]) highest = i;
    }
    return lowest === highest ? [lowest] : [Math.min(lowest, highest), Math.max(lowest, highest)];
  });
  return { x: chosen.map(i => 1000 * time[i]), y: chosen.map(i => Number.isNaN(values[i]) ? null : values[i]) };
}

// The mean of each stretch.
function mean(values, from, to, count) {
  const parts = stretches(from, to, count);
  const y = parts.map(([first, end]) => values.subarray(first, end).reduce((sum, value) => sum + value, 0) / (end - first));
  return { x: parts.map(([first]) => 1000 * time[first]), y: y.map(value => Number.isNaN(value) ? null : value) };
}

// Round numbers for a log axis, about `most` of them; of a narrow range, those of a linear one.
function logTicks(lowest, highest, most) {
  if (!(lowest > 0 && highest > lowest)) return [];
  const decades = Math.log10(highest / lowest), out = [];
  if (decades < 0.6) {
    const raw = (highest - lowest) / most, power = 10 ** Math.floor(Math.log10(raw));
    const step = power * [1, 2, 5, 10].find(n => n * power >= raw);
    for (let k = Math.ceil(lowest / step); k * step <= highest; k++) out.push(k * step);
    return out;
  }
  const heads = decades < 1.2 ? [1, 1.5, 2, 3, 5, 7] : decades < 2.5 ? [1, 2, 5] : [1];
  const every = Math.max(1, Math.round(decades / most));
  for (let power = Math.floor(Math.log10(lowest)); power <= Math.log10(highest); power++)
    if (power % every === 0) out.push(...heads.map(head => head * 10 ** power));
  return out.filter(value => value >= lowest && value <= highest);
}
