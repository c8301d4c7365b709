// SPDX-License-Identifier: Apache-2.0
// What stands beside the map: answers, things, a conversation, numbers. Text of others is only ever set as text.

const $ = (id) => document.getElementById(id);
const rgb = (color) => `rgb(${color.join(",")})`;
export const css = rgb;

/** An element with a class, a text and children. */
export function element(tag, { className = "", text = "", ...rest } = {}, ...children) {
  const made = Object.assign(document.createElement(tag), rest);
  if (className) made.className = className;
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

const bytes = (n) => (n > 1e9 ? `${(n / 1e9).toFixed(2)} GB` : `${(n / 1e6).toFixed(1)} MB`);
const seconds = (s) => `${s.toFixed(2)} s`;
const metres = (list) => list.map((x) => x.toFixed(2)).join(", ");
const middle = (thing) => thing.low.map((x, k) => (x + thing.high[k]) / 2);
const size = (thing) => thing.low.map((x, k) => thing.high[k] - x);
const classOf = (outcome) => outcome.replaceAll(" ", "-");

/** What was looked for: a line each with whether it is there. */
export function showAnswers(texts, answers, drop) {
  $("answers").replaceChildren(...texts.map((text) => {
    const said = answers.get(text);
    const badge = element("span", { className: "badge " + (said ? classOf(said.presence) : ""),
      text: !said ? "…" : said.score === undefined ? said.presence : `${said.presence} ${said.score.toFixed(2)}` });
    const close = element("button", { className: "drop", type: "button", text: "×", title: `Look no longer for ${text}` });
    close.onclick = () => drop(text);
    const row = element("li", {}, element("div", { className: "row" }, element("span", { className: "name", text }), badge, close));
    if (said?.presence === "present" || said?.presence === "unsure") row.style.setProperty("--mark", rgb(said.color));
    const found = said?.things ?? [];
    const where = found.slice(0, 3).map((thing) => `${thing.id > 0 ? `#${thing.id} ` : ""}at ${metres(middle(thing))} m`).join("; ");
    const more = found.length > 3 ? ` and ${found.length - 3} more` : "";
    for (const why of [said?.message, where + more]) if (why) row.append(element("p", { className: "why", text: why }));
    return row;
  }));
}

/** The things of a moment; those that move first. */
export function showThings(things, chosen, choose, goTo) {
  const count = things.length;
  $("things-count").textContent = count ? `(${count})` : "";
  const sorted = [...things].sort((a, b) => b.moving - a.moving || a.name.localeCompare(b.name) || a.id - b.id);
  $("thing-list").replaceChildren(...sorted.map((thing) => {
    const state = thing.moving ? `moves at ${thing.speed_mps.toFixed(2)} m/s`
      : thing.state === "occluded" ? `out of sight since ${seconds(thing.last_seen_s)}` : "";
    const button = element("button", { type: "button" }, element("div", { className: "row" },
      element("span", { className: "name", text: thing.name || "thing" }), element("span", { className: "badge why", text: `#${thing.id}` })));
    button.dataset.id = thing.id;
    button.setAttribute("aria-pressed", String(thing.id === chosen));
    button.style.setProperty("--mark", rgb(thing.color));
    if (state) button.append(element("p", { className: "why", text: state }));
    if (thing.id === chosen) {
      button.append(element("p", { className: "why", text: `middle ${metres(middle(thing))} m` }),
        element("p", { className: "why", text: `size ${metres(size(thing))} m` }),
        element("p", { className: "why", text: `first seen at ${seconds(thing.first_seen_s)}, last at ${seconds(thing.last_seen_s)}` }));
    }
    button.onclick = () => choose(thing);
    const look = element("button", { className: "look", type: "button", text: "◎", title: "Look at it from near" });
    look.onclick = () => goTo(middle(thing), Math.hypot(...size(thing)));
    return element("li", { className: "row" }, button, look);
  }));
  if (!count) $("thing-list").append(element("p", { className: "empty", text: "No thing is followed at this moment. Standing prompts (f4x run --prompt) say what is." }));
}

/** What a click selected. */
export function showClicked(said, error = "") {
  $("clicked").hidden = !said && !error;
  const thing = said?.things?.[0];
  $("clicked-text").className = error ? "error" : "";
  $("clicked-text").textContent = error ? error : !said ? "" : !thing ? said.message || `nothing there (${said.presence})`
    : `${thing.name || "a thing"}${thing.id > 0 ? ` #${thing.id}` : ""}: middle ${metres(middle(thing))} m, size ${metres(size(thing))} m`;
}

/** A question, and a place for its answer. */
export function addQuestion(question) {
  const told = element("div", {}, element("p", { className: "told why", text: "…" }));
  $("said").append(element("p", { className: "asked", text: question }), told);
  $("said").scrollTop = $("said").scrollHeight;
  return told;
}

/** The answer with what it rests on; `show` brings the moment and the things into view. */
export function addAnswer(place, answer, show) {
  const sentence = answer.text ? answer.text[0].toUpperCase() + answer.text.slice(1) : answer.outcome;
  const isValue = answer.outcome === "value";
  const outcome = isValue ? [] : [element("span", { className: classOf(answer.outcome), text: `${answer.outcome[0].toUpperCase()}${answer.outcome.slice(1)}. ` })];
  place.replaceChildren(element("p", { className: answer.outcome === "not understood" ? "told why" : "told" }, ...outcome, sentence));
  const lines = answer.steps.flatMap((step) => {
    const given = Object.entries(step.arguments).map(([name, value]) => `${name}=${value}`).join(", ");
    return [element("p", { text: `${step.tool}(${given})` }), element("ul", {}, ...step.evidence.map((text) => element("li", { text })))];
  });
  if (lines.length) place.append(element("details", {}, element("summary", { text: "what it rests on" }), ...lines));
  if (answer.things.length || answer.moments.length) {
    const go = element("button", { className: "go", type: "button", text: answer.moments.length ? `show at ${seconds(answer.moments.at(-1))}` : "show" });
    go.onclick = show;
    place.append(go);
  }
  $("said").scrollTop = $("said").scrollHeight;
}

export function addError(place, error) {
  place.replaceChildren(element("p", { className: "told error", text: error.message }));
  $("said").scrollTop = $("said").scrollHeight;
}

/** Numbers of the map. */
export function showAbout(about, splats, rate) {
  const rows = { Gaussians: about.gaussians.toLocaleString("en") };
  if (splats && splats.count < splats.all) rows.shown = splats.count.toLocaleString("en");
  rows["memory of the map"] = bytes(about.map_bytes);
  rows["memory in all"] = bytes(about.process_bytes);
  if (about.seconds !== undefined) Object.assign(rows, { recorded: seconds(about.seconds), frame: about.map_frame });
  if (rate) rows.drawn = `${rate.toFixed(0)} pictures/s`;
  rows["words by"] = about.encoder;
  rows["drawn by"] = `${about.backend} on ${about.device}`;
  Object.assign(rows, about.details);
  $("about").replaceChildren(...Object.entries(rows).flatMap(([name, text]) => [element("dt", { text: name }), element("dd", { text })]));
}

/** The map's memory over time, of a map that grows. */
export function showMemory(history) {
  const canvas = $("memory"), pen = canvas.getContext("2d");
  canvas.hidden = history.length < 2;
  if (canvas.hidden) return;
  const most = Math.max(...history), { width, height } = canvas;
  pen.clearRect(0, 0, width, height);
  pen.beginPath();
  history.forEach((value, k) => pen.lineTo((k / (history.length - 1)) * width, height - 3 - (value / most) * (height - 22)));
  pen.strokeStyle = "#4da3ff"; pen.lineWidth = 2;
  pen.stroke();
  pen.fillStyle = "#9aa3b2"; pen.font = "16px system-ui, sans-serif";
  pen.fillText(`memory of the map, at most ${bytes(most)}`, 2, 15);
}
