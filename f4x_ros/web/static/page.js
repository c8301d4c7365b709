// SPDX-License-Identifier: Apache-2.0
// The page: one state, what changes it, and what follows from it.

import { Camera } from "./camera.js";
import { handle } from "./hands.js";
import { Latest, Link } from "./link.js";
import { Marks } from "./marks.js";
import * as panels from "./panels.js";
import { Splats } from "./splats.js";

const $ = (id) => document.getElementById(id);
const ASKED_PX = 640;  // longer side of what the server draws
const SETTLED_MS = 180;  // after the view's last change
const PLAY_MS = 100;
const SHARE = 4;  // times as long as it took to take in a map that grows, it is left in peace
const KEPT = 600;  // numbers of the memory's history

const camera = new Camera();
const marks = new Marks($("marks"));
const state = {
  about: null, moment: null, at: null,  // null: as it is now
  texts: [], answers: new Map(), chosen: 0, clicks: [], clicked: null, answered: [],
  boxes: true, path: true, exact: false, follow: false, memory: [], splats: null,
};
let splats = null, drawn = -1, scale = 1, rate = 0, settledTimer = 0, placed = false, playing = 0;
let shownNs = "", growTimer = 0, restsUntil = 0;

// --- asking the map ------------------------------------------------------------------------------

const link = new Link({
  open: () => { say(""); start(); },
  close: (why) => say(why),
  event: (name, value) => { if (name === "about") grown(value); },
  busy: (waiting) => { $("busy").hidden = !waiting; },
});

/** Ask; what is wrong is said on the page, and null comes back. */
async function ask(what, given) {
  try {
    const said = await link.ask(what, given);
    say("");
    return said;
  } catch (error) {
    say(error.message);
    return null;
  }
}

function say(text) {
  $("message").textContent = text;
  $("message").hidden = !text;
}

async function start() {
  const said = await ask("about");
  if (said) await grown(said.value);
}

/** The map is this now. */
async function grown(about) {
  const before = state.about;
  state.about = about;
  state.memory = [...state.memory, about.map_bytes].slice(-KEPT);
  panels.showMemory(state.memory);
  panels.showAbout(about, state.splats, rate);
  showTime();
  if (about.seconds === undefined) return say("No frame has been mapped yet.");
  if (before && before.seconds === undefined) say("");
  const other = !before || before.first_ns !== about.first_ns;  // (a node may begin a new map)
  if (other) [state.at, placed] = [null, false];
  if (other) await moved();
  else if (state.at === null && shownNs !== about.last_ns) {
    clearTimeout(growTimer);
    growTimer = setTimeout(shown, Math.max(0, restsUntil - performance.now()));
  }
}

const moment = new Latest(async () => {
  const said = await ask("moment", { at: state.at });
  if (!said) return;
  state.moment = said.value;
  if (!placed || state.follow) {
    camera.take(said.value.T_map_camera, said.value.fov_y, said.value.aspect);
    viewChanged();
  }
  showThings();
  redraw();
});

const gaussians = new Latest(async () => {
  if (!splats) return;
  const said = await ask("splats", { at: state.at });
  if (!said) return;
  splats.take(said.data ?? new Uint8Array(0));
  state.splats = said.value;
  panels.showAbout(state.about, state.splats, rate);
  if (!placed) {
    camera.away = splats.depthAhead(camera) ?? camera.away;
    placed = true;
  }
  document.body.dataset.count = splats.count;
  redraw();
});

const find = new Latest(async () => {
  if (!state.texts.length) return;
  const [texts, version, at] = [state.texts, camera.version, state.at];
  const said = await ask("find", { texts, view: camera.asked(ASKED_PX), at });
  if (!said) return;
  for (const one of said.value.answers) state.answers.set(one.text, one);
  showAnswers();
  if (version === camera.version && at === state.at && texts === state.texts) lay("mask", said.data, "image/png");
});

const picture = new Latest(async () => {
  if (!state.exact) return;
  const version = camera.version;
  const said = await ask("picture", { view: camera.asked(ASKED_PX), at: state.at });
  if (said && version === camera.version && state.exact) lay("picture", said.data, said.value.type);
});

const click = new Latest(async () => {
  if (!state.clicks.length) return;
  const version = camera.version;
  try {
    const said = await link.ask("click", { clicks: state.clicks, view: camera.asked(ASKED_PX), at: state.at });
    state.clicked = said.value;
    panels.showClicked(said.value);
    if (version === camera.version) lay("click-mask", said.data, "image/png");
  } catch (error) {
    panels.showClicked(null, error.message);
  }
  redraw();
});

/** Lay a picture from the server over the view; none takes it away. */
function lay(id, data, type) {
  const image = $(id);
  if (image.src) URL.revokeObjectURL(image.src);
  image.hidden = !data;
  if (data) image.src = URL.createObjectURL(new Blob([data], { type }));
  else image.removeAttribute("src");
}

// --- what follows from a change ------------------------------------------------------------------

/** Another moment is shown: what was laid over the one before goes. */
async function moved() {
  lay("mask", null);
  forgetClicks();
  await shown();
}

/** Ask for all that is shown of the moment; a map that grows is asked again and again. */
async function shown() {
  const began = performance.now();
  shownNs = state.about.last_ns;
  showTime();
  if (!placed) await moment.wish();  // the first view is the camera's
  else moment.wish();
  await gaussians.wish();
  restsUntil = performance.now() + SHARE * (performance.now() - began);
  click.wish();
  settle();
}

/** The view has changed: pictures of the one before go, and are asked anew once it rests. */
function viewChanged() {
  for (const id of ["mask", "picture", "click-mask"]) lay(id, null);
  state.clicks = [];
  redraw();
  settle();
}

function settle() {
  clearTimeout(settledTimer);
  settledTimer = setTimeout(() => { find.wish(); picture.wish(); }, SETTLED_MS);
}

function forgetClicks() {
  [state.clicks, state.clicked] = [[], null];
  lay("click-mask", null);
  panels.showClicked(null);
  redraw();
}

function goTo(at) {
  const end = state.about?.seconds;
  state.at = at === null || end === undefined || at >= end ? null : Math.max(0, at);
  return moved();
}

function showTime() {
  const end = state.about?.seconds ?? 0;
  const at = state.at ?? end;
  if (document.activeElement !== $("time") || state.at === null) $("time").value = end ? Math.round((at / end) * 1000) : 1000;
  $("time-text").textContent = `${at.toFixed(2)} of ${end.toFixed(2)} s`;
}

function showAnswers() {
  panels.showAnswers(state.texts, state.answers, (text) => {
    state.texts = state.texts.filter((one) => one !== text);
    showAnswers();
    lay("mask", null);
    find.wish();
  });
}

function showThings() {
  panels.showThings(state.moment.things, state.chosen, (thing) => {
    state.chosen = state.chosen === thing.id ? 0 : thing.id;
    showThings();
    redraw();
  }, (place, size) => {
    camera.lookAt(place, size);
    follow(false);
    viewChanged();
  });
}

// --- drawing -------------------------------------------------------------------------------------

let wanted = false, lastAt = 0, byHand = false, wasByHand = false;

function redraw() {
  if (wanted) return;
  wanted = true;
  requestAnimationFrame(draw);
}

/** One picture. While the view moves it is drawn as coarse as this machine needs for a smooth move. */
function draw(now) {
  wanted = false;
  const took = now - lastAt;
  lastAt = now;
  const moves = camera.version !== drawn;
  if (byHand && wasByHand && took < 3000) {
    rate = rate ? 0.8 * rate + 200 / took : 1000 / took;
    if (took > 45) scale = Math.max(0.25, scale * Math.max(0.6, Math.sqrt(40 / took)));
    else if (took < 22) scale = Math.min(1, scale * 1.08);
  }
  drawn = camera.version;
  [wasByHand, byHand] = [byHand, false];
  const sharp = Math.min(1.5, window.devicePixelRatio || 1);
  splats?.draw(camera, moves ? sharp * scale : sharp, state.chosen);
  drawMarks();
  if (moves && scale < 1) setTimeout(() => { if (camera.version === drawn) redraw(); }, 150);
}

function drawMarks() {
  marks.clear(camera);
  if (!state.moment) return;
  if (state.path) {
    marks.way(camera, state.about.path, "#ffffff50", 1.5);
    marks.eye(camera, state.moment.T_map_camera, state.moment.fov_y, state.moment.aspect, "#ffffffc0");
  }
  for (const thing of state.moment.things) {
    const strong = thing.id === state.chosen || state.answered.includes(thing.id);
    if (!state.boxes && !strong) continue;
    const color = strong ? "#ffcc1a" : panels.css(thing.color);
    if (thing.trail.length && (strong || thing.moving)) marks.way(camera, thing.trail, color, strong ? 3 : 2);
    marks.box(camera, thing, color, { name: `${thing.name} #${thing.id}`, dashed: thing.state === "occluded", strong });
  }
  const clicked = state.clicked?.things?.[0];
  if (clicked) marks.box(camera, clicked, "#ffcc1a", { strong: true });
  for (const [x, y, label] of state.clicks) marks.dot(x * camera.width, y * camera.height, label ? "#ffcc1a" : "#ff5c5c");
}

function resize() {
  const box = $("view").getBoundingClientRect();
  camera.resize(Math.max(16, box.width), Math.max(16, box.height));
  viewChanged();
}

// --- hands ---------------------------------------------------------------------------------------

handle($("view"), camera, {
  changed: () => { byHand = true; follow(false); viewChanged(); },
  click: (x, y, { add, take }) => {
    if (!state.moment) return;
    const one = [x / camera.width, y / camera.height, take ? 0 : 1];
    state.clicks = add || take ? [...state.clicks, one] : [one];
    redraw();
    click.wish();
  },
});

$("find-form").onsubmit = (event) => {
  event.preventDefault();
  const texts = $("find-text").value.split(",").map((one) => one.trim()).filter(Boolean);
  if (!texts.length) return;
  state.texts = [...new Set([...texts, ...state.texts])].slice(0, 8);
  $("find-text").value = "";
  showAnswers();
  find.wish();
};

$("ask-form").onsubmit = async (event) => {
  event.preventDefault();
  const question = $("ask-text").value.trim();
  if (!question) return;
  $("ask-text").value = "";
  const place = panels.addQuestion(question);
  try {
    const { value } = await link.ask("ask", { question });
    const show = () => {
      [state.answered, state.chosen] = [value.things, 0];
      goTo(value.moments.at(-1) ?? state.at);
    };
    panels.addAnswer(place, value, show);
    state.answered = value.things;
    redraw();
  } catch (error) {
    panels.addError(place, error);
  }
};

$("time").oninput = () => goTo((Number($("time").value) / 1000) * (state.about?.seconds ?? 0));
$("now").onclick = () => goTo(null);
$("clicked-clear").onclick = forgetClicks;

$("play").onclick = async () => {
  if (playing) return stop();
  playing = performance.now();
  const mine = playing, end = state.about?.seconds ?? 0;
  $("play").textContent = "❚❚";
  let [began, from] = [playing, state.at ?? 0];
  while (playing === mine) {
    const at = from + (performance.now() - began) / 1000;
    await goTo(at);
    if (at >= end) return stop();
    await new Promise((done) => setTimeout(done, PLAY_MS));
  }
};

function stop() {
  playing = 0;
  $("play").textContent = "▶";
}

/** Look from where the camera was, also at other moments, until the view is moved. */
function follow(yes) {
  state.follow = yes;
  $("robot").setAttribute("aria-pressed", String(yes));
}

$("robot").onclick = () => {
  if (!state.moment || state.follow) return follow(false);
  camera.take(state.moment.T_map_camera, state.moment.fov_y, state.moment.aspect);
  camera.away = splats?.depthAhead(camera) ?? camera.away;
  viewChanged();
  follow(true);
};

for (const name of ["boxes", "path", "exact"]) {
  $(name).onclick = () => {
    state[name] = !state[name];
    $(name).setAttribute("aria-pressed", String(state[name]));
    if (name === "exact") { lay("picture", null); picture.wish(); }
    redraw();
  };
}

setInterval(() => { if (state.about) panels.showAbout(state.about, state.splats, rate); }, 1000);
new ResizeObserver(resize).observe($("view"));
resize();
try {
  splats = new Splats($("splats"));
} catch (error) {  // the map's own pictures of each view do instead
  placed = true;
  state.exact = true;
  follow(true);
  $("exact").setAttribute("aria-pressed", "true");
  $("hint").textContent = `${error.message}: pictures come from f4x instead`;
}
