// SPDX-License-Identifier: Apache-2.0
// What is drawn over the map: boxes with names, ways, the camera.

const CORNERS = [0, 1, 2, 3, 4, 5, 6, 7].map((k) => [k & 1, (k >> 1) & 1, (k >> 2) & 1]);
const EDGES = CORNERS.flatMap((_, a) => [1, 2, 4].filter((bit) => !(a & bit)).map((bit) => [a, a | bit]));

export class Marks {
  constructor(canvas) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d");
  }

  /** Begin anew, in px of the view. */
  clear(camera) {
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [Math.round(camera.width * ratio), Math.round(camera.height * ratio)];
    if (this.canvas.width !== width || this.canvas.height !== height) [this.canvas.width, this.canvas.height] = [width, height];
    this.pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.pen.clearRect(0, 0, camera.width, camera.height);
    this.taken = [];
  }

  way(camera, places, color, width = 2) {
    this.pen.strokeStyle = color;
    this.pen.lineWidth = width;
    this.pen.beginPath();
    for (let k = 1; k < places.length; k++) this.edge(camera, places[k - 1], places[k]);
    this.pen.stroke();
  }

  /** The camera: a small pyramid. */
  eye(camera, pose, fovY, aspect, color) {
    const depth = 0.18, half = Math.tan((fovY * Math.PI) / 360) * depth;
    const place = (x, y, z) => [0, 1, 2].map((k) => pose[4 * k] * x + pose[4 * k + 1] * y + pose[4 * k + 2] * z + pose[4 * k + 3]);
    const tip = place(0, 0, 0);
    const ends = [[-1, -1], [1, -1], [1, 1], [-1, 1]].map(([x, y]) => place(x * half * aspect, y * half, depth));
    const inside = camera.local(tip);
    if (Math.hypot(...inside) < 0.3) return;  // we look through it
    this.pen.strokeStyle = color;
    this.pen.lineWidth = 1.5;
    this.pen.beginPath();
    ends.forEach((end, k) => { this.edge(camera, tip, end); this.edge(camera, end, ends[(k + 1) % 4]); });
    this.pen.stroke();
  }

  box(camera, thing, color, { name = "", dashed = false, strong = false } = {}) {
    const corners = CORNERS.map((bits) => bits.map((bit, k) => (bit ? thing.high[k] : thing.low[k])));
    this.pen.strokeStyle = color;
    this.pen.lineWidth = strong ? 3 : 1.5;
    this.pen.setLineDash(dashed ? [6, 5] : []);
    this.pen.beginPath();
    let top = Infinity, left = Infinity, right = -Infinity, bottom = -Infinity;
    for (const [a, b] of EDGES) {
      const line = this.edge(camera, corners[a], corners[b]);
      if (!line) continue;
      left = Math.min(left, line[0], line[2]); right = Math.max(right, line[0], line[2]);
      top = Math.min(top, line[1], line[3]); bottom = Math.max(bottom, line[1], line[3]);
    }
    this.pen.stroke();
    this.pen.setLineDash([]);
    const inView = right > 0 && left < camera.width && bottom > 0 && top < camera.height;
    if (name && inView) this.name(camera, name, (Math.max(0, left) + Math.min(camera.width, right)) / 2, Math.max(0, top), color, strong);
  }

  name(camera, text, x, y, color, strong) {
    this.pen.font = `${strong ? "600 " : ""}12px system-ui, "DejaVu Sans", sans-serif`;
    const width = this.pen.measureText(text).width + 10, height = 18;
    const left = Math.min(Math.max(2, x - width / 2), camera.width - width - 2);
    let top = Math.max(2, y - height - 2);
    const covers = () => this.taken.find((t) => left < t[0] + t[2] && t[0] < left + width && top < t[1] + height && t[1] < top + height);
    for (let tries = 0, other; tries < 6 && (other = covers()); tries++) top = other[1] + height + 1;
    this.taken.push([left, top, width]);
    this.pen.fillStyle = "#14161ae0";
    this.pen.fillRect(left, top, width, height);
    this.pen.fillStyle = color;
    this.pen.fillRect(left, top, 3, height);
    this.pen.fillStyle = "#fff";
    this.pen.fillText(text, left + 7, top + 13);
  }

  dot(x, y, color) {
    this.pen.fillStyle = color;
    this.pen.strokeStyle = "#000";
    this.pen.lineWidth = 1.5;
    this.pen.beginPath();
    this.pen.arc(x, y, 5, 0, 7);
    this.pen.fill();
    this.pen.stroke();
  }

  edge(camera, a, b) {
    const line = camera.line(a, b);
    if (line) { this.pen.moveTo(line[0], line[1]); this.pen.lineTo(line[2], line[3]); }
    return line;
  }
}
