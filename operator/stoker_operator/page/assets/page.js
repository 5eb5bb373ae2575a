// Shows what the operator tells, as it tells it. All of it is put in as text, never as markup.
"use strict";

const HOUR = 3600;
const SILENCE_SECONDS = 25; // the operator says something every 10
const FIGURES_SECONDS = 3;
const REDRAW_SECONDS = 20;
const PHASES = [
  "Blocked", "Cold", "Degraded", "Pending", "Pulling", "Loading", "Warming", "Hot", "Suspended",
];
const KINDS = {
  hot: ["Hot"],
  odd: ["Suspect"],
  way: ["Pending", "Absent", "Pulling", "Verifying", "Loading", "Warming"],
  bad: ["Blocked", "Cold", "Degraded", "Stuck", "Unreachable", "Failed"],
};
const HEIGHTS = { hot: 20, odd: 20, way: 11, bad: 5, none: 2 };
const SPANS = [[300, "5 min"], [900, "15 min"], [1800, "30 min"], [HOUR, "hour"]];

const $ = (id) => document.getElementById(id);

function kind(word, reason) {
  if (word === "Unreachable" && reason === "Starting") return "way"; // nobody has been there yet
  return Object.keys(KINDS).find((each) => KINDS[each].includes(word)) || "none";
}

/* ---- building ---- */

function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") made.className = value;
    else if (name.includes("-") || name === "role") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children.filter((each) => each !== null && each !== ""));
  return made;
}

function drawn(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

const mark = (word, reason) =>
  element("span", { class: `mark ${kind(word, reason)}` }, word);

function bar(ratio, look) {
  const filled = element("span");
  filled.style.width = `${Math.min(1, Math.max(0, ratio)) * 100}%`;
  return element("span", { class: `bar ${look}`, "aria-hidden": "true" }, filled);
}

/* ---- words and numbers ---- */

function bytes(count) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  for (; count >= 1024 && unit < units.length - 1; unit += 1) count /= 1024;
  return `${unit ? count.toFixed(1) : count} ${units[unit]}`;
}

function span(seconds) {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

const time = (at) => new Date(at * 1000).toLocaleTimeString();
const isKnown = (value) => typeof value === "number";

/* The operator's clock, by which all moments are. */
let clockAhead = 0;
const now = () => Date.now() / 1000 + clockAhead;

/* ---- the last hour, or as much of it as anything is known of ---- */

function scaleOf(lanes) {
  const oldest = Math.min(...lanes.filter((lane) => lane.length).map((lane) => lane[0][0]));
  return SPANS.find(([seconds]) => oldest >= now() - seconds) || SPANS.at(-1);
}

function spans(changes, seconds) {
  const end = now();
  return changes.map(([at, word, reason], index) => {
    const until = index + 1 < changes.length ? changes[index + 1][0] : end;
    const from = Math.max(at, end - seconds);
    return { from, until: Math.max(until, from), word, look: kind(word, reason) };
  });
}

function pastInWords(found, name) {
  const sums = new Map();
  for (const each of found) {
    sums.set(each.word, (sums.get(each.word) || 0) + each.until - each.from);
  }
  const known = [...sums].filter(([, seconds]) => seconds >= 0.001);
  if (!known.length) return `Nothing is known of the last ${name}`;
  return `Last ${name}: ${known.map(([word, seconds]) => `${word} ${span(seconds)}`).join(", ")}`;
}

function drawPast(svg, changes, [seconds, name]) {
  const found = spans(changes, seconds);
  const begin = now() - seconds;
  const least = seconds / 200; // of what was shorter nothing would be seen
  // Losses go on top: they are short, and what one looks for.
  const order = [...found].sort((a, b) => (a.look === "bad") - (b.look === "bad"));
  const words = pastInWords(found, name);
  svg.setAttribute("viewBox", `0 0 ${seconds} 20`);
  svg.setAttribute("aria-label", words);
  svg.replaceChildren(Object.assign(drawn("title", {}), { textContent: words }), ...order.map((each) => {
    const width = Math.max(each.until - each.from, each.look === "none" ? 0 : least);
    const x = Math.min(each.from - begin, seconds - least);
    const height = HEIGHTS[each.look];
    return drawn("rect", { class: each.look, x, width, y: 20 - height, height });
  }));
}

function past(changes, scale, look = "") {
  const svg = drawn("svg", { class: `past ${look}`, role: "img", preserveAspectRatio: "none" });
  drawPast(svg, changes, scale);
  return svg;
}

/* ---- the list ---- */

const lines = new Map(); // by id: what was told, where it is shown, and its place in the order
const order = [];
let listScale = SPANS.at(-1);

const fleetScale = () => scaleOf([...lines.values()].map(({ told }) => told.changes));

function redraw() {
  listScale = fleetScale();
  $("span").textContent = `Last ${listScale[1]}`;
  for (const { told, item } of lines.values()) {
    if (item.isConnected) drawPast(item.querySelector("svg"), told.changes, listScale);
  }
}

function rank(told) {
  const place = PHASES.indexOf(told.phase);
  const number = told.concern ? place - 0.5 : place;
  return [number < 0 ? 0 : number, told.id];
}

const isBefore = (one, other) =>
  one[0] !== other[0] ? one[0] < other[0] : one[1] < other[1];

function placeOf(key) {
  let low = 0;
  let high = order.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBefore(lines.get(order[middle]).key, key)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function memory(told) {
  const used = told.measuredBytes ?? told.vramBytes;
  if (!isKnown(used)) return [];
  const over = told.budgetBytes && used > told.budgetBytes ? "over" : "";
  if (!told.budgetBytes) return [element("span", { class: "amount number" }, bytes(used))];
  const words = `${bytes(used)} of ${bytes(told.budgetBytes)}`;
  return [
    bar(used / told.budgetBytes, over),
    element("span", { class: `amount number ${over}` }, words),
  ];
}

function lineContent(told) {
  const isWhole = told.phase === "Hot" && !told.concern;
  return [
    element("span", {}, mark(told.phase)),
    element("span", {},
      element("span", { class: "name" }, told.name),
      element("span", { class: "model" }, `${told.model} in ${told.namespace}`)),
    element("span", { class: "number", title: "hot pods of those wanted" },
      `${told.hot}/${told.wanted}`),
    element("span", { class: `why ${told.concern ? "concern" : ""}` },
      isWhole ? told.why : `${told.reason}: ${told.why}`),
    past(told.changes, listScale),
    element("span", {}, ...memory(told)),
    element("span", { class: "number amount", title: "median time to the first token" },
      isKnown(told.firstTokenSeconds) ? span(told.firstTokenSeconds) : ""),
  ];
}

function show(told) {
  const known = lines.get(told.id);
  const key = rank(told);
  const item = known ? known.item : element("li");
  const link = known
    ? item.firstChild
    : element("a", { class: "line", href: `#/${told.id}` });
  link.replaceChildren(...lineContent(told));
  if (!known) item.append(link);
  const stays = known && !isBefore(known.key, key) && !isBefore(key, known.key);
  if (known && !stays) order.splice(placeOf(known.key), 1);
  const text = [told.id, told.model, told.phase, told.reason, told.why].join(" ").toLowerCase();
  lines.set(told.id, { told, item, key, text });
  if (!stays) order.splice(placeOf(key), 0, told.id);
  const wanted = isWanted(lines.get(told.id));
  if (!wanted) item.remove();
  else if (!stays || !item.isConnected) put(item, key);
}

function put(item, key) {
  const later = order.slice(placeOf(key) + 1).find((id) => lines.get(id).item.isConnected);
  const hadFocus = item.contains(document.activeElement);
  $("lines").insertBefore(item, later ? lines.get(later).item : null);
  if (hadFocus) item.firstChild.focus();
}

function drop(id) {
  const known = lines.get(id);
  if (!known) return;
  order.splice(placeOf(known.key), 1);
  known.item.remove();
  lines.delete(id);
}

/* ---- what is looked for ---- */

const wantedPhases = new Set();

function isWanted(line) {
  const words = $("find").value.toLowerCase().split(/\s+/).filter(Boolean);
  const isOfPhase = !wantedPhases.size || wantedPhases.has(line.told.phase);
  return isOfPhase && words.every((word) => line.text.includes(word));
}

function narrow() {
  // Taken out rather than hidden: to lay out a thousand that are hidden takes half a second.
  $("lines").replaceChildren(...order.map((id) => lines.get(id)).filter(isWanted)
    .map((line) => line.item));
  sayNothing();
}

let everHeard = false;

function sayNothing() {
  $("nothing").hidden = $("lines").firstChild !== null || !everHeard;
  $("nothing").textContent = lines.size
    ? "None of them is like that."
    : "There are no LLMDeployments yet. kubectl apply -f one, and it appears here.";
}

function countPhases() {
  const counts = new Map();
  for (const { told } of lines.values()) counts.set(told.phase, (counts.get(told.phase) || 0) + 1);
  for (const phase of PHASES) {
    let button = $(`only-${phase}`);
    const count = counts.get(phase) || 0;
    if (!button && count) {
      button = element("button", { type: "button", id: `only-${phase}`, "aria-pressed": "false" });
      button.addEventListener("click", () => {
        if (!wantedPhases.delete(phase)) wantedPhases.add(phase);
        button.setAttribute("aria-pressed", String(wantedPhases.has(phase)));
        narrow();
      });
      const later = PHASES.slice(PHASES.indexOf(phase) + 1).map((each) => $(`only-${each}`));
      $("phases").insertBefore(button, later.find(Boolean) || null);
    }
    if (!button) continue;
    button.replaceChildren(mark(phase), ` ${count}`);
    button.hidden = !count && !wantedPhases.has(phase);
  }
}

function sumUp() {
  let hot = 0;
  let wanted = 0;
  let pods = 0;
  let hotPods = 0;
  for (const { told } of lines.values()) {
    if (told.phase === "Suspended") continue;
    wanted += 1;
    hot += told.phase === "Hot" ? 1 : 0;
    pods += told.wanted;
    hotPods += Math.min(told.hot, told.wanted);
  }
  const sum = `${hot} of ${wanted} models hot, ${hotPods} of ${pods} pods`;
  if ($("sum").textContent !== sum) $("sum").textContent = sum;
  document.title = hot < wanted ? `${wanted - hot} not hot · Stoker` : "Stoker";
}

let toCount = null;

function countSoon() {
  if (toCount !== null) return;
  toCount = setTimeout(() => {
    toCount = null;
    countPhases();
    sumUp();
    sayNothing();
    if (fleetScale() !== listScale) redraw();
  }, 100);
}

/* ---- one of them ---- */

let opened = null; // its id
const unfolded = new Set();

function fact(name, ...values) {
  const known = values.filter((each) => each !== null && each !== "");
  return known.length ? element("div", {}, element("dt", {}, name), element("dd", {}, ...known)) : null;
}

function facts(told) {
  const model = told.modelFigures;
  const tokens = [
    isKnown(told.firstTokenSeconds) ? `${span(told.firstTokenSeconds)} median` : "",
    isKnown(told.firstTokenP95Seconds) ? `${span(told.firstTokenP95Seconds)} for 19 of 20` : "",
  ].filter(Boolean).join(", ");
  const about = [model.parameters, model.quantisation, isKnown(model.sizeBytes) ? bytes(model.sizeBytes) : ""];
  return element("dl", { class: "facts" }, ...[
    fact("Hot pods", `${told.hot} of ${told.wanted}`),
    fact("In the cluster at", told.endpoint),
    fact("First token", tokens),
    fact("GPU memory, the pod that takes most", ...memory(told)),
    fact("Of the model on the GPU", told.offload),
    fact("Model", about.filter(Boolean).join(", ")),
    fact("Context", isKnown(model.contextLength) ? `${model.contextLength} tokens` : ""),
    fact("Digest", (model.digest || "").slice(0, 19)),
  ].filter(Boolean));
}

function figures(pod, budget) {
  const [done, total] = pod.pull || [];
  return [
    pod.node ? `on ${pod.node}` : "",
    pod.at ? `for ${span(Math.max(0, now() - pod.at))}` : "",
    isKnown(pod.firstTokenSeconds) ? `first token ${span(pod.firstTokenSeconds)}` : "",
    isKnown(pod.vramBytes) && pod.vramBytes
      ? element("span", {}, ...memory({ ...pod, budgetBytes: budget })) : "",
    isKnown(done) && total ? element("span", {}, bar(done / total, "plain"),
      ` pulled ${bytes(done)} of ${bytes(total)}`) : "",
    ...(pod.gpus || []).map(([name, busy]) => `${name}${isKnown(busy) ? ` ${Math.round(busy * 100)} % busy` : ""}`),
    pod.isHot && !pod.isLive ? "(figures as of the last change: its sidecar was not reached)" : "",
  ].filter(Boolean).map((each) => element("span", {}, each));
}

function changeList(pod) {
  const id = `changes-${pod.name}`;
  const rows = [...pod.changes].reverse().map(([at, word, reason]) => element("li", {},
    `${time(at)} `, mark(word, reason), reason && reason !== word ? ` ${reason}` : ""));
  const folded = element("details", { open: unfolded.has(id) },
    element("summary", { id }, `${rows.length} ${rows.length === 1 ? "change" : "changes"}`),
    element("ol", {}, ...rows));
  folded.addEventListener("toggle", () => unfolded[folded.open ? "add" : "delete"](id));
  return folded;
}

function podSection(pod, budget, scale) {
  return element("li", { class: "pod" },
    element("div", { class: "head" }, mark(pod.heat, pod.reason),
      element("strong", {}, pod.name),
      element("span", { class: "dim" }, pod.why ? `${pod.reason}: ${pod.why}` : "")),
    element("div", { class: "figures number" }, ...figures(pod, budget)),
    ...(pod.warnings || []).map((each) => element("p", { class: "warning" }, each)),
    past(pod.changes, scale, "tall"),
    changeList(pod));
}

function coldStart(told) {
  const names = {
    schedule: "find a node", image: "fetch images", pull: "pull the model", verify: "verify it",
    load: "load it", firstToken: "first token",
  };
  const known = told.coldStart.filter(([, seconds]) => isKnown(seconds));
  if (!known.length) return [];
  const longest = Math.max(...known.map(([, seconds]) => seconds), 0.001);
  const sum = known.reduce((all, [, seconds]) => all + seconds, 0);
  return [
    element("h2", {}, `Last cold start: ${span(sum)}`),
    element("table", { class: "starts" }, element("tbody", {}, ...known.map(([phase, seconds]) =>
      element("tr", {}, element("th", { scope: "row" }, names[phase]),
        element("td", {}, bar(seconds / longest, "plain")),
        element("td", { class: "number" }, span(seconds)))))),
  ];
}

function conditions(told) {
  const head = ["Condition", "", "Since", "Why"].map((each) => element("th", { scope: "col" }, each));
  return element("table", { class: "conditions" },
    element("thead", {}, element("tr", {}, ...head)),
    element("tbody", {}, ...told.conditions.map((each) => element("tr", {},
      element("th", { scope: "row" }, each.type),
      element("td", {}, `${each.status}, ${each.reason}`),
      element("td", { class: "number" }, each.at ? span(Math.max(0, now() - each.at)) : ""),
      element("td", { class: "message" }, each.message)))));
}

function way() {
  return element("nav", {}, element("a", { href: "#", id: "back" }, "← All LLMDeployments"));
}

function showOne(told) {
  const focused = document.activeElement && document.activeElement.id;
  const scale = scaleOf([told.changes, ...told.pods.map((pod) => pod.changes)]);
  const axis = [`${scale[1] === "hour" ? "an hour" : scale[1]} ago`, "now"];
  $("one").replaceChildren(way(),
    element("h2", { class: "title", id: "title", tabIndex: -1 }, told.name, mark(told.phase)),
    element("p", { class: "dim" }, `${told.model} in ${told.namespace}`),
    element("p", {}, `${told.reason}: ${told.why}`),
    facts(told),
    element("h2", {}, `Pods, and their last ${scale[1]}`),
    told.pods.length ? element("div", { class: "axis", "aria-hidden": "true" },
      ...axis.map((each) => element("span", {}, each))) : "",
    element("ul", { class: "pods", role: "list" }, ...told.pods.map((pod) => podSection(pod, told.budgetBytes, scale))),
    told.pods.length ? "" : element("p", { class: "dim" }, "There are none."),
    ...coldStart(told),
    element("h2", {}, "Conditions"),
    conditions(told));
  if (focused && $("one").contains($(focused))) $(focused).focus();
}

let asking = false;
let askAgain = false;

async function ask() {
  if (!opened || document.hidden) return;
  if (asking) {
    askAgain = true;
    return;
  }
  asking = true;
  const id = opened;
  try {
    const answer = await fetch(`llmdeployments/${id.split("/").map(encodeURIComponent).join("/")}`);
    const told = await answer.json();
    if (id !== opened) return;
    if (!answer.ok) {
      $("one").replaceChildren(way(), element("p", { role: "alert" }, told.error));
      return;
    }
    showOne(told);
  } catch {
    // The stream says already that nobody answers, and this is asked again soon.
  } finally {
    asking = false;
    if (askAgain || id !== opened) {
      askAgain = false;
      ask();
    }
  }
}

function route() {
  const before = opened;
  opened = location.hash.startsWith("#/") ? decodeURIComponent(location.hash.slice(2)) : null;
  $("list").hidden = opened !== null;
  $("one").hidden = opened === null;
  if (opened) {
    $("one").replaceChildren(way(), element("h2", { class: "title", id: "title", tabIndex: -1 }, opened));
    $("title").focus();
    ask();
  } else if (before) {
    const line = lines.get(before);
    if (line) line.item.firstChild.focus();
  }
}

/* ---- keys ---- */

function step(by) {
  const links = [...$("lines").children].map((item) => item.firstChild);
  const at = links.indexOf(document.activeElement);
  const next = at < 0 ? (by > 0 ? 0 : -1) : at + by;
  if (next >= links.length) return;
  (next < 0 ? $("find") : links[next]).focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const isTyping = document.activeElement === $("find");
  const deeds = { ArrowDown: () => step(1), ArrowUp: () => step(-1) };
  if (!isTyping) {
    Object.assign(deeds, { j: () => step(1), k: () => step(-1), "/": () => $("find").focus() });
  }
  if (event.key === "Escape") {
    if (opened) location.hash = "";
    else if (isTyping) {
      $("find").value = "";
      narrow();
    }
    return;
  }
  if (opened || !deeds[event.key]) return;
  event.preventDefault();
  deeds[event.key]();
});
$("find").addEventListener("input", narrow);
$("narrow").addEventListener("submit", (event) => event.preventDefault());
window.addEventListener("hashchange", route);
document.addEventListener("visibilitychange", ask);

/* ---- being told ---- */

let stream = null;
let heardAt = Date.now();

function say(words, look) {
  if ($("live").textContent !== words) $("live").textContent = words;
  $("live").className = look;
  document.body.classList.toggle("stale", look === "lost");
}

function lost() {
  say(everHeard ? `no word from the operator since ${new Date(heardAt).toLocaleTimeString()}`
    : "the operator does not answer", "lost");
}

function hear(message) {
  if (isKnown(message.now)) clockAhead = message.now - Date.now() / 1000;
  $("absence").hidden = !message.absence;
  $("absence").textContent = message.absence || "";
  if (message.absence) {
    say("waiting", "");
    return;
  }
  heardAt = Date.now();
  for (const told of message.lines || []) show(told);
  for (const id of message.gone || []) drop(id);
  if (message.all) {
    const all = new Set(message.all);
    for (const id of [...lines.keys()]) if (!all.has(id)) drop(id);
    everHeard = true;
  }
  say("live", "on");
  countSoon();
  const touched = [...(message.lines || []).map((each) => each.id), ...(message.gone || [])];
  if (opened && touched.includes(opened)) ask();
}

function follow() {
  if (stream) stream.close();
  stream = new EventSource("events");
  let wasReached = false;
  stream.onopen = () => { wasReached = true; };
  stream.onmessage = (event) => hear(JSON.parse(event.data));
  stream.onerror = () => {
    // An operator that has said why it has nothing to show ends the stream, and is asked again.
    if (!wasReached || $("absence").hidden) lost();
    wasReached = false;
    if (stream.readyState === EventSource.CLOSED) setTimeout(follow, 3000);
  };
}

setInterval(() => {
  if (Date.now() - heardAt < SILENCE_SECONDS * 1000 || !$("absence").hidden) return;
  lost();
  follow(); // a connection that died without a word is never told of by the browser
}, SILENCE_SECONDS * 1000 / 2);
setInterval(ask, FIGURES_SECONDS * 1000);
setInterval(() => {
  if (!document.hidden && !opened) redraw();
}, REDRAW_SECONDS * 1000);

follow();
route();
