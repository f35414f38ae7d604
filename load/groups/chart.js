// Live charts of requests by group: in Locust's tab, under its bar of tabs, or on a page of their own (data-alone). Asks
// for ./<key>/data every second while it is shown, and draws what came as SVG.
"use strict";

(() => {
  const { key, title, alone } = document.currentScript.dataset;
  const isAlone = alone !== undefined;
  const SVG = "http://www.w3.org/2000/svg";
  const [LEFT, RIGHT, TOP, BOTTOM] = [48, 8, 8, 22];
  const MOST_STACKED = 8; // groups of one chart; more get a row each
  const OVERLAP = 10; // seconds that are asked for again: a worker's report may come late
  const COLOURS = ["#00ca5a", "#0099ff", "#ff9f00", "#9966cc", "#00bcd4", "#a1887f", "#c0ca33", "#ec407a"];
  const REST = "#9e9e9e";
  const PERCENTILES = [["50th percentile", "#ff9f00"], ["95th percentile", "#9966cc"], ["99th percentile", "#ec407a"]];
  const ROLES = { stays: "", stopped: "stopped", new: "new", other: "" };
  const number = new Intl.NumberFormat("en");
  const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  // Locust's table in the tab has its times from the server.
  document.cookie = `load_groups_utc_offset=${-new Date().getTimezoneOffset()}; SameSite=Strict`;
  const sum = (counts) => counts.reduce((total, count) => total + count, 0);

  function element(name, attributes = {}, ...children) {
    const svg = ["svg", "line", "text", "polygon", "polyline", "rect", "g"].includes(name);
    const made = svg ? document.createElementNS(SVG, name) : document.createElement(name);
    for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
    made.append(...children);
    return made;
  }

  const root = element("div", { class: isAlone ? "groups alone" : "groups" });
  const at = (name) => root.querySelector(`[data-at="${name}"]`);
  const panel = (heading, name, ...more) =>
    element("section", {}, element("h2", {}, heading), ...more, element("div", { class: "chart", "data-at": name }));
  const legend = (name) => element("ul", { class: "legend", "data-at": name });

  function build() {
    const tile = (name, label) => element("div", {}, element("b", { "data-at": name }, "–"), element("span", {}, label));
    const spread = tile("spread", "from its even part, least explained by chance");
    spread.append(element("span", { "data-at": "chance" }));
    const state = element("span", { role: "status", "data-at": "state" }, "connecting");
    const links = isAlone
      ? [state, element("a", { href: `./${key}/csv` }, "CSV"), element("a", { href: `./?tab=${key}` }, "Locust")]
      : [element("a", { href: `./${key}`, target: "_blank" }, "Charts on a page of their own")];
    const heading = element("div", {}, element("h1", {}, `Requests by ${key.slice(0, -1)}`), element("p", { class: "target", "data-at": "target" }));
    const heads = element("thead", { "data-at": "heads" });
    heads.addEventListener("click", (event) => {
      const column = Number(event.target.closest("button")?.value ?? NaN);
      if (Number.isNaN(column)) return;
      sorted = { column, down: sorted.column === column ? !sorted.down : column >= texts() };
      drawTable();
    });
    const rows = element("section", {}, element("h2", {}, "All figures"),
      element("div", { class: "scroll" }, element("table", {}, heads, element("tbody", { "data-at": "rows" }))));
    root.append(
      ...(isAlone ? [element("header", {}, heading, element("nav", {}, ...links))] : []),
      element("p", { role: "alert", hidden: "", "data-at": "message" }),
      element("section", { class: "tiles", "aria-label": "Totals" }, tile("total", "requests"), tile("rate", "requests/s"), tile("failed", "failures"), tile("known", key), spread),
      element("section", {}, element("h2", {}, "Share of requests"), element("div", { "data-at": "shares" }),
        element("p", { class: "hint" }, "Dashed: the even part, counted over the time in which it was there; the 5 s after it came and before it went during the run are left out. ", element("span", { "data-at": "suffix" }))),
      panel("Requests per Second", "requests", legend("legend")),
      panel("Failures per Second", "failures", legend("failing")),
      panel("Response Times (ms)", "times", legend("percentiles")),
      ...(isAlone ? [] : [element("p", { class: "hint" }, ...links)]),
      rows,
      element("div", { class: "tooltip", hidden: "", "data-at": "tooltip" }),
    );
    document.head.append(element("link", { rel: "stylesheet", href: `./${key}/chart.css` }));
  }

  // As Locust decides it, and again whenever its button for it is pressed.
  function followTheme() {
    const system = matchMedia("(prefers-color-scheme: dark)").matches;
    const dark = "theme" in localStorage ? localStorage.theme === "dark" : system;
    root.dataset.theme = dark ? "dark" : "light";
    if (isAlone) document.body.style.background = dark ? "#121212" : "#ffffff";
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
  const signed = (percent) => `${percent > -0.05 ? "+" : "−"}${Math.abs(percent).toFixed(1)}%`;

  // A colour each for at most as many as there are, by its place in an order that the server keeps: so it is the same in
  // every browser, after a reload and after a reset. Those that came first keep theirs.
  function coloursOf(names, places) {
    const [free, colours] = [new Set(COLOURS.keys()), new Map()];
    for (const name of names.filter((name) => name in places).sort((one, other) => places[one] - places[other])) {
      let at = places[name] % COLOURS.length;
      while (free.size && !free.delete(at)) at = (at + 1) % COLOURS.length;
      colours.set(name, COLOURS[at]);
    }
    return colours;
  }

  // The seconds that came so far, by series; the answers bring the last of them again.
  let past = null;
  function merge(data) {
    // Those that stand for several groups, or for none, come last.
    const names = Object.keys(data.requests).sort((one, other) => one.startsWith("(") - other.startsWith("("));
    const fits = past && past.names.join("\n") === names.join("\n") && data.start >= past.start && data.start <= past.end && data.total_requests >= past.total;
    if (!fits) past = { names, start: data.start, requests: {}, failures: {}, latency: [] };
    const before = data.start - past.start;
    const drop = Math.max(0, before + data.seconds - data.window);
    const joined = (old, more) => [...(old ?? []).slice(0, before), ...more].slice(drop);
    for (const kind of ["requests", "failures"]) {
      for (const name of names) past[kind][name] = joined(past[kind][name], data[kind][name]);
    }
    past.latency = joined(past.latency, data.latency);
    past.start += drop;
    past.end = past.start + past.latency.length;
    past.total = data.total_requests;
    return fits || !asked;
  }

  function drawTiles(data) {
    const compared = data.groups.filter((group) => group.vs_even !== null);
    // Not the furthest: a group with few requests is far from its part by chance.
    const beyond = (group) => Math.abs(group.vs_even) / group.chance;
    const least = compared.reduce((far, group) => (far === null || beyond(group) > beyond(far) ? group : far), null);
    // Those of whole seconds: the first request came, or the counts were cleared, somewhere within one.
    const whole = data.first === null ? 0 : Math.max(0, Math.min(5, past.end - data.first - 1));
    const last = sum(Object.values(past.requests).map((counts) => sum(counts.slice(counts.length - whole))));
    at("total").textContent = number.format(data.total_requests);
    at("rate").textContent = whole ? number.format(Math.round(last / whole)) : "–";
    at("rate").nextSibling.textContent = `requests/s, last\u00a0${whole || 5}\u00a0s`;
    at("failed").textContent = number.format(data.total_failures);
    at("failed").className = data.total_failures ? "bad" : "";
    at("known").textContent = number.format(data.known_groups);
    at("spread").textContent = least ? signed(least.vs_even) : "–";
    at("chance").textContent = least ? `${short(least.group, data.suffix)}; by chance alone up to ±${least.chance.toFixed(1)}% at any one look` : "";
  }

  function drawShares(data) {
    const shown = data.groups.slice(0, 60);
    const even = (group) => (group.vs_even !== null && group.vs_even > -100 ? group.share / (1 + group.vs_even / 100) : 0);
    const widest = Math.max(...data.groups.map((group) => Math.max(group.share, even(group)))) * 1.1;
    const many = data.known_groups > MOST_STACKED;
    const rows = shown.map((group) => {
      const notes = [many ? "" : group.detail, ROLES[group.role]].filter(Boolean).join(", ");
      const bar = element("i", { style: `width:${(100 * group.share) / widest}%;background:${many ? "var(--bar)" : data.colours.get(group.group) ?? REST}` });
      const track = element("div", { class: "track" }, bar);
      if (group.vs_even !== null) track.append(element("div", { class: "even", style: `left:${(100 * even(group)) / widest}%` }));
      const value = element("div", { class: "value" }, `${group.share.toFixed(1)}%${group.vs_even === null ? "" : ` (${signed(group.vs_even)})`}`);
      const name = element("div", { class: "name", title: [group.group, group.detail].filter(Boolean).join(", ") }, short(group.group, data.suffix));
      if (group.failures) name.append(element("small", { class: "bad" }, `${number.format(group.failures)} failed`));
      if (notes) name.append(element("small", {}, notes));
      return element("div", { class: "share" }, name, track, value);
    });
    const grid = element("div", { class: many ? "shares many" : "shares" }, ...rows);
    const rest = data.groups.length - shown.length;
    if (rest) grid.append(element("p", { class: "empty" }, `and ${rest} more, all in the CSV file`));
    at("shares").replaceChildren(rows.length ? grid : element("p", { class: "empty" }, "No requests yet. The page draws them as they come."));
  }

  function drawLegend(name, series) {
    at(name).replaceChildren(
      ...series.map((one) => element("li", {}, element("i", { style: `background:${one.colour}` }), one.label ?? one.name)),
    );
  }

  // Two to five round steps, the last not below the highest value.
  function scaleTo(highest) {
    const least = Math.max(1, highest / 4);
    const power = 10 ** Math.floor(Math.log10(least));
    const step = Math.ceil([1, 2, 2.5, 5, 10].map((factor) => factor * power).find((value) => value >= least));
    return { top: step * Math.max(2, Math.ceil(highest / step)), step };
  }

  // Axes, and a line with the values where the pointer is; `draw` puts the series in between.
  function drawTimeline(box, series, { height, label, highest, left = LEFT, rows = false, unit = "" }, draw) {
    const seconds = past.latency.length;
    const width = Math.max(280, box.clientWidth);
    const [inner, bottom] = [width - left - RIGHT, height - BOTTOM];
    const { top, step } = scaleTo(highest);
    const x = (i) => left + (inner * i) / seconds;
    const y = (value) => bottom - ((bottom - TOP) * value) / top;
    const chart = element("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
    for (let value = 0; !rows && value <= top; value += step) {
      chart.append(element("line", { class: "grid", x1: left, x2: width - RIGHT, y1: y(value), y2: y(value) }));
      chart.append(element("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, number.format(value)));
    }
    // A time is 50 wide, and may begin left of the axis.
    const every = [5, 10, 15, 20, 30, 60].find((span) => (inner * span) / seconds > 60) ?? 120;
    for (let i = 0; i < seconds; i++) {
      if ((past.start + i) % every === 0 && x(i) < width - 28) {
        chart.append(element("text", { x: x(i), y: height - 5, "text-anchor": "middle" }, clock.format((past.start + i) * 1000)));
      }
    }
    draw(chart, x, y, inner / seconds, bottom);
    const cursor = element("line", { class: "cursor", y1: TOP, y2: bottom, visibility: "hidden" });
    chart.append(cursor);
    chart.addEventListener("mousemove", (event) => {
      const where = chart.getBoundingClientRect();
      const pointed = ((event.clientX - where.left) / where.width) * width;
      const i = Math.min(seconds - 1, Math.max(0, Math.floor(((pointed - left) * seconds) / inner)));
      cursor.setAttribute("x1", x(i + 0.5));
      cursor.setAttribute("x2", x(i + 0.5));
      cursor.setAttribute("visibility", "visible");
      const said = series.filter((one) => one.counts[i]).slice(0, 40);
      const lines = (said.length ? said : series.slice(0, 1)).map((one) =>
        element("div", {}, `${one.name}: ${number.format(one.counts[i] ?? 0)}${unit}`));
      const tooltip = at("tooltip");
      tooltip.replaceChildren(element("b", {}, clock.format((past.start + i) * 1000)), ...lines);
      tooltip.hidden = false;
      tooltip.style.left = `${Math.max(4, Math.min(event.clientX + 14, innerWidth - tooltip.offsetWidth - 14))}px`;
      tooltip.style.top = `${Math.max(4, Math.min(event.clientY + 14, innerHeight - tooltip.offsetHeight - 4))}px`;
    });
    chart.addEventListener("mouseleave", () => {
      cursor.setAttribute("visibility", "hidden");
      at("tooltip").hidden = true;
    });
    box.replaceChildren(chart);
  }

  // Stacked steps, one a second: the count is of the whole second, and a slope would show what nobody counted.
  function drawStacked(box, series, options) {
    const totals = past.latency.map((_, i) => sum(series.map((one) => one.counts[i])));
    drawTimeline(box, series, { ...options, highest: Math.max(...totals) }, (chart, x, y) => {
      let base = totals.map(() => 0);
      for (const { colour, counts } of series) {
        const tops = counts.map((count, i) => base[i] + count);
        const steps = (values) => values.flatMap((value, i) => [`${x(i).toFixed(1)},${y(value).toFixed(1)}`, `${x(i + 1).toFixed(1)},${y(value).toFixed(1)}`]);
        const points = [...steps(tops), ...steps(base).reverse()].join(" ");
        chart.append(element("polygon", { points, fill: colour, "fill-opacity": 0.85 }));
        base = tops;
      }
    });
  }

  // A row for each group: the more requests in a second the fuller the colour, and red where some failed.
  function drawRows(box, series, failures) {
    const narrow = box.clientWidth < 640;
    const left = narrow ? 112 : 200;
    const fits = Math.floor((left - 8) / 7);
    // What sets machines apart is at the end of their names.
    const cut = (text) => (text.length <= fits ? text : text.startsWith("(") ? `${text.slice(0, fits - 1)}…` : `…${text.slice(1 - fits)}`);
    const most = Math.max(1, ...series.flatMap((one) => one.counts));
    const height = TOP + 15 * series.length + BOTTOM;
    const label = "Requests per second, a row for each group";
    drawTimeline(box, series, { height, label, highest: most, left, rows: true }, (chart, x, y, width) => {
      series.forEach(({ name, counts, key: full }, row) => {
        const top = TOP + 15 * row;
        chart.append(element("text", { x: left - 8, y: top + 11, "text-anchor": "end" }, cut(name)));
        counts.forEach((count, i) => {
          if (!count) return;
          const failed = failures[full][i] / count;
          const fill = failed ? "var(--failure)" : "var(--bar)";
          const opacity = failed ? 0.4 + 0.6 * failed : 0.15 + (0.85 * count) / most;
          chart.append(element("rect", { x: x(i), y: top, width: width + 0.3, height: 13, fill, "fill-opacity": opacity.toFixed(2) }));
        });
      });
    });
  }

  function seriesOf(kind, data, names, colours) {
    const roles = new Map(data.groups.map((group) => [group.group, group.role]));
    return names.map((name) => {
      const said = ROLES[roles.get(name)] ? ` (${ROLES[roles.get(name)]})` : "";
      return { key: name, name: short(name, data.suffix), label: short(name, data.suffix) + said, counts: past[kind][name], colour: colours.get(name) ?? REST };
    });
  }

  function drawRequests(data) {
    const series = seriesOf("requests", data, past.names, data.colours);
    const many = data.known_groups > MOST_STACKED;
    drawLegend("legend", many ? [{ name: "requests", colour: "var(--bar)" }, { name: "with failures", colour: "var(--failure)" }] : series);
    if (many) drawRows(at("requests"), series, past.failures);
    else drawStacked(at("requests"), series, { height: 260, label: "Requests per second by group" });
  }

  function drawFailures(data) {
    const failures = (name) => sum(past.failures[name]);
    const failing = past.names.filter(failures);
    // Those that failed most are shown, but never in the order of how much, which changes from second to second.
    const most = new Set([...failing].sort((one, other) => failures(other) - failures(one)).slice(0, MOST_STACKED));
    const colours = data.known_groups > MOST_STACKED ? coloursOf([...most], data.failing_places) : data.colours;
    const series = seriesOf("failures", data, failing.filter((name) => most.has(name)), colours);
    const rest = failing.filter((name) => !most.has(name));
    if (rest.length) {
      series.push({ name: `${rest.length} more`, colour: REST, counts: past.latency.map((_, i) => sum(rest.map((name) => past.failures[name][i]))) });
    }
    drawLegend("failing", series);
    drawStacked(at("failures"), series.length ? series : [{ name: "failures", counts: past.latency.map(() => 0), colour: REST }], { height: 160, label: "Failures per second by group" });
  }

  function drawTimes() {
    const series = PERCENTILES.map(([name, colour], which) => ({ name, colour, counts: past.latency.map((of) => (of ? of[which] : null)) }));
    drawLegend("percentiles", series);
    const highest = Math.max(1, ...series.flatMap((one) => one.counts));
    drawTimeline(at("times"), series, { height: 200, label: "Response times in ms", highest, unit: " ms" }, (chart, x, y) => {
      for (const { colour, counts } of series) {
        // A second without an answer interrupts the line.
        for (const run of counts.map((ms, i) => [ms, i]).reduce((runs, [ms, i]) => (ms === null ? [...runs, []] : (runs.at(-1).push([ms, i]), runs)), [[]])) {
          const points = run.map(([ms, i]) => `${x(i + 0.5).toFixed(1)},${y(ms).toFixed(1)}`).join(" ");
          if (run.length) chart.append(element("polyline", { class: "line", points, stroke: colour }));
        }
      }
    });
  }

  // The table of the last answer, in the order that was clicked: a column, and whether the greatest come first.
  let shown = null;
  let sorted = { column: null, down: false };
  const texts = () => (shown.detail_noun ? 2 : 1);

  function drawTable() {
    const ms = (of) => of.toFixed(1);
    // "broad": not on a narrow screen, where the bars above say it, or it is the least asked for.
    const columns = [
      [shown.noun, "group", (name) => short(name, shown.suffix)],
      ...(shown.detail_noun ? [[shown.detail_noun, "detail", String, "broad"]] : []),
      ["requests", "requests", number.format],
      ["share", "share", (share) => `${share.toFixed(1)}%`, "broad"],
      ["vs even", "vs_even", (percent) => (percent === null ? "" : signed(percent)), "broad"],
      ["failures", "failures", number.format],
      ["p50 ms", "p50_ms", ms], ["p95 ms", "p95_ms", ms, "broad"], ["p99 ms", "p99_ms", ms],
      ["first seen", "first_seen", String, "broad"], ["last seen", "last_seen", String, "broad"],
    ];
    const kind = (i) => ({ class: `${i < texts() ? "text" : ""} ${columns[i][3] ?? ""}`.trim() });
    if (at("heads").textContent === "") {
      const button = (head, i) => element("button", { type: "button", value: i }, head[0].toUpperCase() + head.slice(1));
      at("heads").append(element("tr", {}, ...columns.map(([head], i) => element("th", { scope: "col", ...kind(i) }, button(head, i)))));
    }
    [...at("heads").querySelectorAll("th")].forEach((head, i) => {
      if (i === sorted.column) head.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    const groups = [...shown.groups];
    if (sorted.column !== null) {
      const [, field] = columns[sorted.column];
      const rank = (one, other) => (one[field] < other[field] ? -1 : one[field] > other[field] ? 1 : 0);
      groups.sort((one, other) => (sorted.down ? rank(other, one) : rank(one, other)));
    }
    at("rows").replaceChildren(
      ...groups.map((group) => element("tr", {}, ...columns.map(([, field, text], i) => element("td", kind(i), text(group[field]))))),
    );
  }

  function say(message) {
    at("message").textContent = message;
    at("message").hidden = !message;
  }

  function draw(data) {
    followTheme();
    say(data.notes.join(" "));
    data.suffix = suffixOf(data.groups.filter((group) => group.role !== "other").map((group) => group.group));
    data.colours = coloursOf(past.names, data.places);
    shown = data;
    at("suffix").textContent = data.suffix ? `All names end with ${data.suffix}.` : "";
    drawTiles(data);
    drawShares(data);
    drawTable();
    if (isAlone) {
      at("state").textContent = data.state;
      at("target").textContent = data.target;
    }
    // While the pointer reads a chart, it stands still.
    if (at("tooltip").hidden && past.latency.length) {
      drawRequests(data);
      drawFailures(data);
      drawTimes();
    }
  }

  let asked = 0;
  async function poll() {
    try {
      asked = past ? Math.max(past.start, past.end - OVERLAP) : 0;
      const answer = await fetch(`./${key}/data?since=${asked}`, { cache: "no-store", signal: AbortSignal.timeout(5000) });
      if (!answer.ok || answer.redirected) throw new Error(`status ${answer.status}`);
      const data = await answer.json();
      if (merge(data)) draw(data);
      else past = null; // other series than before: from the start, with the next answer
    } catch (error) {
      say(`Locust does not answer (${error.message}); the figures are the last that came.`);
      if (isAlone) at("state").textContent = "not connected";
    }
  }

  // Under Locust's bar of tabs while our tab is open: there is no place for it that Locust's page offers.
  function place() {
    const tabs = document.querySelector('#root [role="tablist"]');
    const open = new URLSearchParams(location.search).get("tab") === key;
    const box = open && tabs ? [...(tabs.closest(".MuiContainer-root")?.children ?? [])].find((child) => child.contains(tabs)) : null;
    if (!box) root.remove();
    else if (box.nextSibling !== root) {
      box.after(root);
      poll();
    }
  }

  build();
  followTheme();
  document.addEventListener("click", () => setTimeout(followTheme, 50));
  if (isAlone) {
    document.body.prepend(root);
    poll();
  } else setInterval(place, 200);
  setInterval(() => root.isConnected && poll(), 1000);
})();
