"use strict";
// The inbox: one conversation for each number, kept live by server-sent events. Whatever a message
// holds reaches the page as text only. At most SHOWN messages of a conversation are drawn, and the
// newest KNOWN are read when the page opens, so that a hundred thousand cost no more than a thousand.
const KNOWN = 500, SHOWN = 200, PEOPLE = 300, API = "/_sandbox";
const $ = (id) => document.getElementById(id);
const people = new Map();   // number -> {number, messages: Map(id -> message), last}
let chosen = null, total = 0, drawing = false, requests = [], pushes = new Map();
let reading = 0, meanwhile = [];   // messages that came while older ones were being read
const whole = new Set();           // numbers whose older messages were asked for

function make(tag, text, name) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (name) made.className = name;
  return made;
}

async function call(method, path, body) {
  const options = method === "GET" ? {} :
    {method, headers: {"content-type": "application/json"}, body: JSON.stringify(body ?? {})};
  const reply = await fetch(API + path, options);
  const answer = await reply.json();
  if (!reply.ok) throw new Error(answer.error || reply.statusText);
  return answer;
}

function attempt(work) {
  return (...args) => work(...args).catch((error) => {
    $("error").textContent = error.message;
    $("error").hidden = false;
    setTimeout(() => { $("error").hidden = true; }, 6000);
  });
}

// What is known

function keep(message) {
  const number = message.direction === "in" ? message.from : message.to;
  let person = people.get(number);
  if (!person) people.set(number, person = {number, messages: new Map(), last: 0});
  if (!person.messages.has(message.message_id)) total += 1;
  person.messages.set(message.message_id, message);
  person.last = Math.max(person.last, message.date);
}

const read = attempt(async () => {
  reading += 1;
  try {
    // First and alone: what a person looks at must not wait for what is behind the other tabs.
    const answer = await call("GET", `/messages?direction=all&limit=${KNOWN}`);
    people.clear();
    whole.clear();
    total = 0;
    answer.messages.forEach(keep);
    // The answer may be older than these, and it has just replaced them.
    meanwhile.forEach(keep);
    $("bounded").hidden = answer.total <= answer.messages.length;
    $("bounded").textContent = `The last ${answer.messages.length} of ${answer.total} messages are read. ` +
      "Search and an open conversation find the others.";
  } finally {
    reading -= 1;
    if (!reading) meanwhile = [];
  }
  draw();
  const [settings, faults, log, calls] = await Promise.all([
    call("GET", "/settings"), call("GET", "/faults"), call("GET", "/requests?limit=100"), call("GET", "/pushes"),
  ]);
  showSettings(settings);
  showFaults(faults.faults);
  requests = log.requests.reverse();
  $("forgotten").hidden = !log.forgotten;
  $("forgotten").textContent = `The oldest ${log.forgotten} requests were forgotten.`;
  pushes = new Map(calls.pushes.map((push) => [push.id, push]));
  draw();
});

// Older messages than those read at first.
async function readMore(part, value) {
  const answer = await call("GET", `/messages?direction=all&limit=${SHOWN}&${part}=${encodeURIComponent(value)}`);
  answer.messages.filter((one) => !people.get(one.direction === "in" ? one.from : one.to)?.messages.has(one.message_id))
    .forEach(keep);
  draw();
}

// Drawing, at most once a frame

function draw() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    drawPeople();
    drawConversation();
    if (!$("view-requests").hidden) drawRequests();
    if (!$("view-pushes").hidden) drawPushes();
  });
}

function found() {
  const wanted = $("search").value.trim().toLowerCase();
  const sorted = [...people.values()].sort((a, b) => b.last - a.last);
  if (!wanted) return sorted;
  return sorted.filter((person) => person.number.toLowerCase().includes(wanted) ||
    [...person.messages.values()].some((one) => one.body.toLowerCase().includes(wanted)));
}

// Search may have found older messages after newer ones.
function ordered(person) {
  return [...person.messages.values()].sort((a, b) => a.date - b.date);
}

function drawPeople() {
  const all = found();
  if (chosen === null && all.length && innerWidth > 640) chosen = all[0].number;
  const focused = document.activeElement?.dataset?.number;
  $("conversations").replaceChildren(...all.slice(0, PEOPLE).map((person) => {
    const line = make("li"), button = make("button"), head = make("strong");
    head.append(make("bdi", person.number), make("time", clock(person.last)));
    const text = make("span", ordered(person).pop().body.slice(0, 80));
    text.dir = "auto";
    button.append(head, text);
    button.dataset.number = person.number;
    button.setAttribute("aria-current", String(person.number === chosen));
    line.append(button);
    return line;
  }));
  if (all.length > PEOPLE) {
    $("conversations").append(make("li", `and ${all.length - PEOPLE} more: search for them`, "note"));
  }
  if (focused) {
    document.querySelector(`#conversations [data-number="${CSS.escape(focused)}"]`)?.focus();
  }
  document.body.classList.toggle("chosen", people.has(chosen));
  document.body.classList.toggle("none", people.size === 0 && !$("search").value);
}

function drawConversation() {
  const person = people.get(chosen), list = $("messages");
  $("empty").hidden = people.size > 0;
  $("reply").hidden = !person || !person.number.startsWith("+");
  $("title").textContent = person ? person.number : people.size ? "Choose a conversation" : "No messages yet";
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  const changed = list.dataset.number !== (person?.number ?? "");
  const messages = person ? ordered(person).slice(-SHOWN) : [];
  // Lines that did not change stay as they are: focus, selection and the screen reader's place too.
  const before = changed ? new Map() : new Map([...list.children].map((line) => [line.dataset.id, line]));
  const lines = messages.map((message) => {
    const state = `${message.status} ${message.error_code ?? ""}`, old = before.get(message.message_id);
    return old?.dataset.state === state ? old : bubble(message, state);
  });
  lines.forEach((line, place) => {
    if (list.children[place] !== line) list.insertBefore(line, list.children[place] ?? null);
  });
  while (list.children.length > lines.length) list.lastChild.remove();
  list.dataset.number = person?.number ?? "";
  if (atEnd || changed) list.scrollTop = list.scrollHeight;
  if (person && !whole.has(person.number) && !$("bounded").hidden) {
    whole.add(person.number);
    attempt(readMore)("to", person.number);
  }
}

function bubble(message, state) {
  const line = make("li", undefined, message.direction), text = make("p", message.body, "bubble");
  const facts = make("div", undefined, "facts");
  line.dataset.id = message.message_id;
  line.dataset.state = state;
  text.dir = "auto";
  if (message.subject) line.append(make("strong", message.subject));
  line.append(text);
  const time = make("time", clock(message.date));
  time.dateTime = new Date(message.date * 1000).toISOString();
  facts.append(time);
  if (message.code) {
    const code = make("span", "code ");
    code.append(make("code", message.code));
    facts.append(code);
  }
  if (message.direction === "out") {
    const count = message.parts === 1 ? "1 part" : `${message.parts} parts`;
    facts.append(make("span", `from ${message.from || "shared number"}`), make("span", message.channel),
      make("span", `${count}, ${message.encoding}`), make("span", `price ${message.price}`),
      make("span", message.status + (message.error_code ? ` (${message.error_code})` : ""), message.status));
    if (message.schedule) facts.append(make("span", `for ${new Date(message.schedule * 1000).toLocaleString()}`));
    if (message.media) facts.append(make("span", `media ${message.media}`));
    if (message.status === "Sent") {
      const acts = make("span", undefined, "acts");
      acts.append(receipt(message, 201, "Deliver"), receipt(message, 301, "Fail"));
      facts.append(acts);
    }
  }
  line.append(facts);
  return line;
}

function receipt(message, code, label) {
  const button = make("button", label, "quiet");
  button.setAttribute("aria-label", `${label} the message "${message.body.slice(0, 40)}"`);
  button.addEventListener("click", attempt(() => call(
    "POST", `/messages/${encodeURIComponent(message.message_id)}/deliver`,
    code === 301 ? {status_code: 301, error_code: 7} : {status_code: code})));
  return button;
}

function entry(summary, bad, detail) {
  const line = make("li"), details = make("details");
  details.append(make("summary", summary, bad ? "bad" : ""), make("pre", detail));
  line.append(details);
  return line;
}

function drawRequests() {
  $("requests").replaceChildren(...requests.slice(0, 100).map((one) => entry(
    `${clock(one.date)}  ${one.method} ${one.path}  ${one.status || "no reply"}`,
    !one.status || one.status >= 400,
    `${JSON.stringify(one.query)}\n${one.body}${one.size > one.body.length ? `\n… ${one.size} bytes` : ""}`)));
  if (!requests.length) $("requests").append(make("li", "No requests yet"));
}

function drawPushes() {
  $("pushes").replaceChildren(...[...pushes.values()].reverse().slice(0, 100).map((push) => entry(
    `${clock(push.created_at)}  ${push.kind} to ${push.url}  ${push.state} (${push.attempts.join(", ") || "not tried"})`,
    push.state === "failed" || push.state === "refused", JSON.stringify(push.fields, null, 1))));
  if (!pushes.size) $("pushes").append(make("li", "No webhook was called yet"));
}

function showFaults(faults) {
  $("armed").replaceChildren(...faults.map((one) =>
    make("li", `${one.fault}, ${one.times} × ${one.method ?? "any method"} ${one.path ?? "any path"}`)));
  if (!faults.length) $("armed").append(make("li", "Nothing goes wrong"));
}

function showSettings(settings) {
  $("balance").textContent = `balance ${settings.balance.replace(/(\.\d\d\d*?)0+$/, "$1")}`;
}

function clock(seconds) {
  return new Date(seconds * 1000).toLocaleTimeString([], {hour12: false});
}

// Live

let settle = null;
function balanceSoon() {
  settle ??= setTimeout(attempt(async () => { settle = null; showSettings(await call("GET", "/settings")); }), 300);
}

function listen() {
  const events = new EventSource(API + "/events");
  const on = (kind, act) => events.addEventListener(kind, (event) => act(JSON.parse(event.data)));
  events.onopen = () => { live(true); read(); };
  events.onerror = () => live(false);
  on("message", (message) => {
    if (reading) meanwhile.push(message);
    keep(message);
    if (total > 5 * KNOWN) read(); else draw();
    balanceSoon();
  });
  on("request", (one) => { requests.unshift(one); requests.length = Math.min(requests.length, 200); draw(); });
  on("push", (push) => { pushes.set(push.id, push); draw(); });
  on("faults", showFaults);
  on("settings", showSettings);
  on("reload", read);
}

function live(connected) {
  $("live").textContent = connected ? "live" : "not connected";
  $("live").classList.toggle("live", connected);
}

// Acting

function choose(number) {
  chosen = number;
  drawPeople();
  drawConversation();
  if (number !== null) $("conversation").focus();
}

function show(tab) {
  for (const other of document.querySelectorAll("[role=tab]")) {
    const selected = other === tab;
    other.setAttribute("aria-selected", String(selected));
    other.tabIndex = selected ? 0 : -1;
    $(other.getAttribute("aria-controls")).hidden = !selected;
  }
  draw();
}

$("conversations").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) choose(button.dataset.number);
});
$("back").addEventListener("click", () => { choose(null); $("search").focus(); });

let searching = null;
$("search").addEventListener("input", () => {
  draw();
  clearTimeout(searching);
  searching = setTimeout(attempt(async () => {
    const wanted = $("search").value.trim();
    if (wanted.length < 2) return;
    // Digits may be a number, or a code in a text.
    if (/^[+\d ]+$/.test(wanted)) await readMore("to", wanted);
    await readMore("body", wanted);
  }), 250);
});
$("reply").addEventListener("submit", (event) => {
  event.preventDefault();
  const body = $("text").value;
  if (!body.trim()) return;
  $("text").value = "";
  attempt(() => call("POST", "/inbound", {from: chosen, body}))();
});
$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); $("reply").requestSubmit(); }
});
$("clear").addEventListener("click", attempt(async () => {
  if (confirm("Forget all messages, requests and faults of this sandbox?")) await call("POST", "/reset");
}));
$("arm").addEventListener("submit", (event) => {
  event.preventDefault();
  const path = $("path").value.trim();
  attempt(() => call("POST", "/faults", {
    fault: $("fault").value, times: Number($("times").value), ...(path ? {path} : {})}))();
});
$("disarm").addEventListener("click", attempt(() => call("DELETE", "/faults")));
for (const tab of document.querySelectorAll("[role=tab]")) {
  tab.addEventListener("click", () => show(tab));
  tab.addEventListener("keydown", (event) => {
    const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
    if (!step) return;
    const tabs = [...document.querySelectorAll("[role=tab]")];
    const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
    show(next);
    next.focus();
  });
}
attempt(async () => {
  const schemas = (await call("GET", "/openapi.json")).components.schemas;
  $("fault").append(...schemas.Fault.properties.fault.enum.map((name) => make("option", name)));
})();
$("exports").textContent = ["USERNAME=sandbox", "API_KEY=sandbox", `BASE_URL=${location.origin}`]
  .map((line) => `export CLICKSEND_${line}`).join("\n");
document.body.classList.add("none");
listen();
