// The live charts of the page /hostnames: asks for ./hostnames/data every second and draws it as SVG.
"use strict";

const SERIES = 8;
const WIDTH = 1100;
const LEFT = 56;
const RIGHT = 12;
const SVG = "http://www.w3.org/2000/svg";
const colours = new Map();
const byId = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");
const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

// A host keeps the colour it was first drawn with, whatever its rank becomes.
function colourOf(host) {
  if (host === "(other)" || host === "(no host known)") return "var(--other)";
  if (!colours.has(host)) colours.set(host, colours.size);
  return `var(--c${colours.get(host) % SERIES})`;
}

function element(name, attributes = {}, text = "") {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

function svg(name, attributes = {}, text = "") {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

const signed = (percent) => `${percent > -0.05 ? "+" : "−"}${Math.abs(percent).toFixed(1)}%`;

function drawTiles(data) {
  const known = data.hosts.filter((host) => host.vs_even !== null);
  const last = Object.values(data.requests).map((counts) => counts.slice(-5).reduce((sum, count) => sum + count, 0));
  const furthest = known.reduce((far, host) => (Math.abs(host.vs_even) > Math.abs(far) ? host.vs_even : far), 0);
  byId("total").textContent = number.format(data.total_requests);
  byId("rate").textContent = number.format(Math.round(last.reduce((sum, count) => sum + count, 0) / 5));
  byId("failed").textContent = number.format(data.total_failures);
  byId("failed").className = data.total_failures ? "bad" : "";
  byId("hosts").textContent = number.format(known.length);
  byId("spread").textContent = known.length ? signed(furthest) : "–";
}

function drawShares(data) {
  const known = data.hosts.filter((host) => host.vs_even !== null);
  const shown = data.hosts.slice(0, 16);
  const sum = known.reduce((total, host) => total + host.share, 0);
  const even = known.length ? sum / known.length : 0;
  const widest = Math.max(even, ...data.hosts.map((host) => host.share)) * 1.1;
  const rows = shown.map((host) => {
    const row = element("div", { class: "share" });
    const name = element("div", { class: "name" }, host.hostname);
    name.append(element("small", {}, host.availability_zone));
    const track = element("div", { class: "track" });
    const bar = element("div", { class: "bar" });
    bar.style.width = `${(100 * host.share) / widest}%`;
    bar.style.background = colourOf(host.hostname);
    track.append(bar);
    if (host.vs_even !== null) {
      const line = element("div", { class: "even" });
      line.style.left = `${(100 * even) / widest}%`;
      track.append(line);
    }
    const deviation = host.vs_even === null ? "" : ` (${signed(host.vs_even)})`;
    row.append(name, track, element("div", { class: "value" }, `${host.share.toFixed(1)}%${deviation}`));
    return row;
  });
  if (data.hosts.length > shown.length) {
    rows.push(element("p", { class: "empty" }, `and ${data.hosts.length - shown.length} more hosts, all in the CSV file`));
  }
  if (!rows.length) rows.push(element("p", { class: "empty" }, "No requests yet. The page draws them as they come."));
  byId("shares").replaceChildren(...rows);
}

// Two to four round steps, the last not below the highest value.
function scaleTo(highest) {
  const least = Math.max(1, highest / 4);
  const power = 10 ** Math.floor(Math.log10(least));
  const step = Math.ceil([1, 2, 2.5, 5, 10].map((factor) => factor * power).find((value) => value >= least));
  return { top: step * Math.max(2, Math.ceil(highest / step)), step };
}

// Stacked areas or bars over the seconds; `series` is a list of {name, colour, counts}.
function drawTimeline(box, data, series, { height, kind, label }) {
  const seconds = series[0].counts.length;
  const totals = Array.from({ length: seconds }, (_, i) => series.reduce((sum, one) => sum + one.counts[i], 0));
  const { top, step } = scaleTo(Math.max(...totals));
  const bottom = height - 24;
  const x = (i) => LEFT + ((WIDTH - LEFT - RIGHT) * i) / (seconds - 1);
  const y = (count) => bottom - ((bottom - 12) * count) / top;
  const chart = svg("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": label });
  for (let value = 0; value <= top; value += step) {
    chart.append(svg("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value) }));
    chart.append(svg("text", { x: LEFT - 8, y: y(value) + 4, "text-anchor": "end" }, number.format(value)));
  }
  for (let i = 0; i < seconds; i++) {
    const second = data.start + i;
    if (second % 20 === 0 && i > 3 && i < seconds - 3) {
      chart.append(svg("text", { x: x(i), y: height - 6, "text-anchor": "middle" }, clock.format(second * 1000)));
    }
  }
  const base = new Array(seconds).fill(0);
  for (const { colour, counts } of series) {
    const tops = counts.map((count, i) => base[i] + count);
    if (kind === "area") {
      const upper = tops.map((value, i) => `${x(i).toFixed(1)},${y(value).toFixed(1)}`);
      const lower = base.map((value, i) => `${x(i).toFixed(1)},${y(value).toFixed(1)}`).reverse();
      const points = [...upper, ...lower].join(" ");
      chart.append(svg("polygon", { points, fill: colour, stroke: "var(--surface)", "stroke-width": 1 }));
    } else {
      const width = (WIDTH - LEFT - RIGHT) / seconds - 2;
      tops.forEach((value, i) => {
        if (counts[i]) {
          chart.append(svg("rect", { x: x(i) - width / 2, y: y(value), width, height: y(base[i]) - y(value), fill: colour, rx: 1 }));
        }
      });
    }
    tops.forEach((value, i) => (base[i] = value));
  }
  const cursor = svg("line", { class: "cursor", y1: 12, y2: bottom, visibility: "hidden" });
  chart.append(cursor);
  chart.addEventListener("mousemove", (event) => {
    const at = ((event.clientX - chart.getBoundingClientRect().left) / chart.getBoundingClientRect().width) * WIDTH;
    const i = Math.min(seconds - 1, Math.max(0, Math.round(((at - LEFT) * (seconds - 1)) / (WIDTH - LEFT - RIGHT))));
    cursor.setAttribute("x1", x(i));
    cursor.setAttribute("x2", x(i));
    cursor.setAttribute("visibility", "visible");
    const lines = series.map((one) => element("div", {}, `${one.name}: ${number.format(one.counts[i])}`));
    const tooltip = byId("tooltip");
    tooltip.replaceChildren(element("b", {}, clock.format((data.start + i) * 1000)), ...lines);
    tooltip.hidden = false;
    tooltip.style.left = `${Math.min(event.clientX + 14, innerWidth - tooltip.offsetWidth - 14)}px`;
    tooltip.style.top = `${event.clientY + 14}px`;
  });
  chart.addEventListener("mouseleave", () => {
    cursor.setAttribute("visibility", "hidden");
    byId("tooltip").hidden = true;
  });
  box.replaceChildren(chart);
}

function drawRequests(data) {
  const series = Object.entries(data.requests).map(([name, counts]) => ({ name, counts, colour: colourOf(name) }));
  byId("legend").replaceChildren(
    ...series.map(({ name, colour }) => {
      const item = element("li");
      const mark = element("i");
      mark.style.background = colour;
      item.append(mark, name);
      return item;
    }),
  );
  if (!series.length) series.push({ name: "requests", counts: data.failures.map(() => 0), colour: "none" });
  drawTimeline(byId("requests"), data, series, { height: 280, kind: "area", label: "Requests per second by host" });
}

function drawFailures(data) {
  const series = [{ name: "failures", counts: data.failures, colour: "var(--failure)" }];
  drawTimeline(byId("failures"), data, series, { height: 140, kind: "bars", label: "Failures per second" });
}

function drawRows(data) {
  byId("rows").replaceChildren(
    ...data.hosts.map((host) => {
      const row = element("tr");
      const times = [host.p50_ms, host.p95_ms, host.p99_ms].map((ms) => ms.toFixed(1));
      const counts = [number.format(host.requests), number.format(host.failures)];
      const cells = [host.hostname, host.availability_zone, ...counts, ...times, host.first_seen, host.last_seen];
      row.append(...cells.map((text) => element("td", {}, text)));
      return row;
    }),
  );
}

function draw(data) {
  byId("target").textContent = data.target;
  byId("state").textContent = data.state;
  byId("state").dataset.state = data.state;
  byId("message").textContent = data.notes.join(" ");
  byId("message").hidden = !data.notes.length;
  drawTiles(data);
  drawShares(data);
  drawRows(data);
  // While the pointer reads a chart, it stands still.
  if (byId("tooltip").hidden) {
    drawRequests(data);
    drawFailures(data);
  }
}

async function poll() {
  try {
    const answer = await fetch("./hostnames/data", { cache: "no-store", signal: AbortSignal.timeout(5000) });
    if (!answer.ok || answer.redirected) throw new Error(`status ${answer.status}`);
    draw(await answer.json());
  } catch (error) {
    byId("state").textContent = "not connected";
    byId("state").dataset.state = "lost";
    byId("message").textContent = `Locust does not answer (${error.message}); the figures are the last that came.`;
    byId("message").hidden = false;
  }
  setTimeout(poll, 1000);
}

poll();
