// The live charts of the page /hostnames: asks for ./hostnames/data every second and draws it as SVG.
"use strict";

const SHADES = 3;
const LEFT = 56;
const RIGHT = 12;
const SVG = "http://www.w3.org/2000/svg";
const shades = new Map();
const ROLES = ["stays", "stopped", "new", "other"];
const byId = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");
const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

// The hue says what a host is in the run, the shade which one it is; both names and labels say it too.
function colourOf(host, role) {
  if (role === "other") return "var(--other)";
  if (!shades.has(host)) shades.set(host, shades.size);
  return `var(--${role}${shades.get(host) % SHADES})`;
}

// What all names end with, from a dot on: it is said once.
function suffixOf(names) {
  const ends = names.map((name) => name.split(".").slice(1));
  if (names.length < 2 || !ends[0].length) return "";
  let common = ends[0];
  for (const end of ends) {
    while (common.length && end.slice(-common.length).join(".") !== common.join(".")) common = common.slice(1);
  }
  return common.length ? `.${common.join(".")}` : "";
}

const short = (name, suffix) => (suffix && name.endsWith(suffix) ? name.slice(0, -suffix.length) : name);
const said = { stays: "", stopped: "stopped", new: "new", other: "" };

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
  // A host with few requests is far from its part by chance: the furthest is the one that chance explains least.
  const beyond = (host) => Math.abs(host.vs_even) / host.chance;
  const furthest = known.reduce((far, host) => (far === null || beyond(host) > beyond(far) ? host : far), null);
  byId("total").textContent = number.format(data.total_requests);
  byId("rate").textContent = number.format(Math.round(last.reduce((sum, count) => sum + count, 0) / 5));
  byId("failed").textContent = number.format(data.total_failures);
  byId("failed").className = data.total_failures ? "bad" : "";
  byId("hosts").textContent = number.format(data.known_hosts);
  byId("spread").textContent = furthest ? signed(furthest.vs_even) : "–";
  byId("chance").textContent = furthest ? `by chance alone up to ±${furthest.chance.toFixed(1)}%` : "";
}

function drawShares(data) {
  const known = data.hosts.filter((host) => host.vs_even !== null);
  const shown = data.hosts.slice(0, 16);
  const even = (host) => (host.vs_even > -100 ? host.share / (1 + host.vs_even / 100) : 0);
  const widest = Math.max(...known.map(even), ...data.hosts.map((host) => host.share)) * 1.1;
  const rows = shown.map((host) => {
    const row = element("div", { class: "share" });
    const name = element("div", { class: "name", title: host.hostname }, short(host.hostname, data.suffix));
    name.append(element("small", {}, [host.availability_zone, said[host.role]].filter(Boolean).join(", ")));
    const track = element("div", { class: "track" });
    const bar = element("div", { class: "bar" });
    bar.style.width = `${(100 * host.share) / widest}%`;
    bar.style.background = colourOf(host.hostname, host.role);
    track.append(bar);
    if (host.vs_even !== null) {
      const line = element("div", { class: "even" });
      line.style.left = `${(100 * even(host)) / widest}%`;
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
  const WIDTH = Math.max(280, box.clientWidth);
  const labels = [5, 10, 20, 30, 60].find((every) => ((WIDTH - LEFT - RIGHT) * every) / seconds > 72) ?? 120;
  const x = (i) => LEFT + ((WIDTH - LEFT - RIGHT) * i) / (seconds - 1);
  const y = (count) => bottom - ((bottom - 12) * count) / top;
  const chart = svg("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": label });
  for (let value = 0; value <= top; value += step) {
    chart.append(svg("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value) }));
    chart.append(svg("text", { x: LEFT - 8, y: y(value) + 4, "text-anchor": "end" }, number.format(value)));
  }
  for (let i = 0; i < seconds; i++) {
    const second = data.start + i;
    if (second % labels === 0 && x(i) > LEFT + 30 && x(i) < WIDTH - RIGHT - 30) {
      chart.append(svg("text", { x: x(i), y: height - 6, "text-anchor": "middle" }, clock.format(second * 1000)));
    }
  }
  const base = new Array(seconds).fill(0);
  for (const { colour, counts } of series) {
    const tops = counts.map((count, i) => base[i] + count);
    if (kind === "area") {
      // A step a second: the count is of the whole second, and a slope would show what nobody counted.
      const half = (WIDTH - LEFT - RIGHT) / (seconds - 1) / 2;
      const step = (value, i) => {
        const [from, to] = [Math.max(LEFT, x(i) - half), Math.min(WIDTH - RIGHT, x(i) + half)];
        return [`${from.toFixed(1)},${y(value).toFixed(1)}`, `${to.toFixed(1)},${y(value).toFixed(1)}`];
      };
      const upper = tops.flatMap(step);
      const lower = base.flatMap(step).reverse();
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
  const roles = new Map(data.hosts.map((host) => [host.hostname, host.role]));
  const series = Object.entries(data.requests).map(([name, counts]) => {
    const role = roles.get(name) ?? "other";
    return { name: short(name, data.suffix), counts, role, colour: colourOf(name, role) };
  });
  // Who stays is at the bottom, so that who goes and who is new change places on top.
  series.sort((one, other) => ROLES.indexOf(one.role) - ROLES.indexOf(other.role));
  byId("legend").replaceChildren(
    ...series.map(({ name, role, colour }) => {
      const item = element("li");
      const mark = element("i");
      mark.style.background = colour;
      item.append(mark, said[role] ? `${name} (${said[role]})` : name);
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
      const cells = [short(host.hostname, data.suffix), host.availability_zone, ...counts, ...times, host.first_seen, host.last_seen];
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
  data.suffix = suffixOf(data.hosts.filter((host) => host.role !== "other").map((host) => host.hostname));
  byId("suffix").textContent = data.suffix ? `All names end with ${data.suffix}.` : "";
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
