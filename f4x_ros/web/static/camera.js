// SPDX-License-Identifier: Apache-2.0
// The eye of the page: an optical frame (x right, y down, z ahead) in the map.

const NEAR_M = 0.05;

export const add = (a, b, s = 1) => [a[0] + s * b[0], a[1] + s * b[1], a[2] + s * b[2]];
export const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];

/** A vector turned about an axis of length 1 (Rodrigues). */
function turned(v, axis, angle) {
  const c = Math.cos(angle), s = Math.sin(angle), along = dot(axis, v) * (1 - c), side = cross(axis, v);
  return [0, 1, 2].map((k) => v[k] * c + side[k] * s + axis[k] * along);
}

export class Camera {
  constructor() {
    this.eye = [0, 0, 1.5];
    this.right = [0, -1, 0]; this.down = [0, 0, -1]; this.ahead = [1, 0, 0];
    this.up = [0, 0, 1];
    this.away = 2;  // metres to what it turns about
    this.fovY = 50;  // degrees, of the camera whose picture is to fit
    this.aspect = 4 / 3;
    this.width = 1; this.height = 1;  // px
    this.version = 0;  // grows with each change
  }

  resize(width, height) {
    if (width === this.width && height === this.height) return;
    this.width = width; this.height = height;
    this.version++;
  }

  /** Look from a pose [16], row by row; the picture of a camera with this lens fits into the view. */
  take(pose, fovY, aspect) {
    const column = (k) => [pose[k], pose[4 + k], pose[8 + k]];
    this.right = column(0); this.down = column(1); this.ahead = column(2); this.eye = column(3);
    // Some maps are of a camera that lay in no frame with z up; others look straight down.
    this.up = this.down[2] < -0.3 ? [0, 0, 1] : this.down.map((x) => -x);
    this.fovY = fovY; this.aspect = aspect;
    this.version++;
  }

  /** Degrees from the upper edge to the lower one. */
  get viewFovY() {
    const half = Math.tan((this.fovY * Math.PI) / 360);
    const fitted = Math.max(half, (half * this.aspect * this.height) / this.width);
    return Math.min(140, (Math.atan(fitted) * 360) / Math.PI);
  }

  /** Pixels per unit of x/z. */
  get focal() {
    return this.height / 2 / Math.tan((this.viewFovY * Math.PI) / 360);
  }

  /** T_map_camera, row by row. */
  get pose() {
    const [r, d, a, e] = [this.right, this.down, this.ahead, this.eye];
    return [r[0], d[0], a[0], e[0], r[1], d[1], a[1], e[1], r[2], d[2], a[2], e[2], 0, 0, 0, 1];
  }

  /** The view as the server draws it, its longer side so many pixels. */
  asked(side) {
    const scale = Math.min(1, side / Math.max(this.width, this.height));
    const size = (n) => Math.max(16, Math.round(n * scale));
    return { width: size(this.width), height: size(this.height), fov_y: this.viewFovY, T_map_camera: this.pose };
  }

  turn(dx, dy) {
    const target = add(this.eye, this.ahead, this.away), right = this.right;
    const pitched = (v) => turned(v, right, -dy * 0.006), yawed = (v) => turned(v, this.up, -dx * 0.006);
    const upright = dot(pitched(this.down), this.up) < -0.02;  // never upside down
    for (const name of ["right", "down", "ahead"]) this[name] = yawed(upright ? pitched(this[name]) : this[name]);
    this.eye = add(target, this.ahead, -this.away);
    this.version++;
  }

  move(dx, dy) {
    const scale = this.away / this.focal;
    this.eye = add(add(this.eye, this.right, -dx * scale), this.down, -dy * scale);
    this.version++;
  }

  zoom(steps) {
    const factor = Math.exp(steps * 0.12);
    const away = Math.min(200, Math.max(0.15, this.away * factor));
    this.eye = add(this.eye, this.ahead, this.away - away);
    this.away = away;
    this.version++;
  }

  walk(right, ahead, up) {
    const step = Math.max(0.05, this.away * 0.06);
    this.eye = add(add(add(this.eye, this.right, right * step), this.ahead, ahead * step), this.up, up * step);
    this.version++;
  }

  /** Turn towards a place and come near enough to see so many metres. */
  lookAt(place, size) {
    this.away = Math.max(0.4, (2.2 * size) / (2 * Math.tan((this.viewFovY * Math.PI) / 360)));
    this.eye = add(place, this.ahead, -this.away);
    this.version++;
  }

  /** Place in the optical frame. */
  local(place) {
    const v = add(place, this.eye, -1);
    return [dot(this.right, v), dot(this.down, v), dot(this.ahead, v)];
  }

  /** Ends [x, y, x, y] in px of what is in front of the eye of a line; null if nothing is. */
  line(a, b) {
    let p = this.local(a), q = this.local(b);
    if (p[2] < NEAR_M && q[2] < NEAR_M) return null;
    if (p[2] < NEAR_M) p = add(q, add(p, q, -1), (q[2] - NEAR_M) / (q[2] - p[2]));
    if (q[2] < NEAR_M) q = add(p, add(q, p, -1), (p[2] - NEAR_M) / (p[2] - q[2]));
    return [...this.pixel(p), ...this.pixel(q)];
  }

  pixel(local) {
    return [(this.focal * local[0]) / local[2] + this.width / 2, (this.focal * local[1]) / local[2] + this.height / 2];
  }
}
