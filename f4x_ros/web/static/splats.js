// SPDX-License-Identifier: Apache-2.0
// Gaussians drawn by the graphics card: the perspective is made affine at each middle (Zwicker et al.,
// "EWA volume splatting", 2001; Kerbl et al., "3D Gaussian splatting", 2023), sorted from back to front.

const WORDS = 8, ROW = 512;  // words of a Gaussian; Gaussians in a row of the texture
const BUCKETS = 65536, NEAR_M = 0.05, BESIDE_M = 0.5;  // (the middle of a large one may be out of view)

const VERTEX = `#version 300 es
precision highp float; precision highp int; precision highp usampler2D;
uniform usampler2D splats; uniform mat3 turn; uniform vec3 eye; uniform float focal; uniform vec2 size;
uniform int marked;
out vec4 color; out vec2 at;
void main() {
  gl_Position = vec4(0.0, 0.0, 2.0, 1.0);
  int index = gl_VertexID / 3, corner = gl_VertexID % 3;
  ivec2 place = ivec2(index % ${ROW} * 2, index / ${ROW});
  uvec4 a = texelFetch(splats, place, 0), b = texelFetch(splats, place + ivec2(1, 0), 0);
  vec3 c = turn * (uintBitsToFloat(a.xyz) - eye);
  color = vec4(a.w & 255u, (a.w >> 8u) & 255u, (a.w >> 16u) & 255u, a.w >> 24u) / 255.0;
  if (c.z < ${NEAR_M} || color.a * 255.0 <= 1.0) return;
  vec2 xx_xy = unpackHalf2x16(b.x), xz_yy = unpackHalf2x16(b.y), yz_zz = unpackHalf2x16(b.z);
  mat3 cov = mat3(xx_xy.x, xx_xy.y, xz_yy.x, xx_xy.y, xz_yy.y, yz_zz.x, xz_yy.x, yz_zz.x, yz_zz.y) * 1e-4;
  mat3 seen = turn * cov * transpose(turn);
  vec2 limit = 0.65 * size / focal;
  vec2 t = clamp(c.xy / c.z, -limit, limit);
  vec3 u = vec3(1.0, 0.0, -t.x) * focal / c.z, v = vec3(0.0, 1.0, -t.y) * focal / c.z;
  float A = dot(u, seen * u) + 0.3, B = dot(u, seen * v), C = dot(v, seen * v) + 0.3;
  float mean = 0.5 * (A + C), root = sqrt(max(mean * mean - (A * C - B * B), 0.0));
  float first = mean + root, second = max(mean - root, 0.1);
  vec2 axis = abs(B) > 1e-5 ? normalize(vec2(B, first - A)) : (A >= C ? vec2(1, 0) : vec2(0, 1));
  // One triangle around the ellipse: half the work of a square where there is no graphics card.
  vec2 tip = corner == 0 ? vec2(0.0, 2.0) : vec2(corner == 1 ? -1.7320508 : 1.7320508, -1.0);
  at = tip * sqrt(2.0 * log(255.0 * color.a));
  vec2 pixel = focal * c.xy / c.z + size / 2.0
    + axis * sqrt(first) * at.x + vec2(-axis.y, axis.x) * sqrt(second) * at.y;
  if (marked != 0 && int(b.w) == marked) color.rgb = mix(color.rgb, vec3(1.0, 0.8, 0.1), 0.45);
  gl_Position = vec4(pixel.x / size.x * 2.0 - 1.0, 1.0 - pixel.y / size.y * 2.0, 0.0, 1.0);
}`;

const FRAGMENT = `#version 300 es
precision highp float;
in vec4 color; in vec2 at; out vec4 drawn;
void main() {
  float alpha = min(0.999, color.a * exp(-0.5 * dot(at, at)));
  if (alpha < 1.0 / 255.0) discard;
  drawn = vec4(color.rgb * alpha, alpha);
}`;

/** Draws what `take` was given; throws if this browser has no WebGL 2. */
export class Splats {
  constructor(canvas) {
    this.canvas = canvas;
    const gl = canvas.getContext("webgl2", { antialias: false, alpha: false, powerPreference: "high-performance" });
    if (!gl) throw new Error("this browser has no WebGL 2");
    this.gl = gl;
    this.count = 0;
    this.program = program(gl);
    this.texture = gl.createTexture();
    this.order = gl.createBuffer();
    gl.bindVertexArray(gl.createVertexArray());
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.order);
    gl.useProgram(this.program);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.clearColor(0.055, 0.06, 0.07, 1);
    this.at = Object.fromEntries(
      ["turn", "eye", "focal", "size", "marked"].map((name) => [name, gl.getUniformLocation(this.program, name)]));
  }

  /** Gaussians as the server packs them (f4x_ros/web/splats.py). */
  take(bytes) {
    const gl = this.gl;
    const count = bytes.byteLength / (4 * WORDS);
    const rows = Math.max(1, Math.ceil(count / ROW));
    const words = new Uint32Array(rows * ROW * WORDS);
    words.set(new Uint32Array(bytes.buffer, bytes.byteOffset, count * WORDS));
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA32UI, ROW * 2, rows, 0, gl.RGBA_INTEGER, gl.UNSIGNED_INT, words);
    for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, name, gl.NEAREST);
    this.places = new Float32Array(words.buffer);
    this.count = count;
    this.depths = new Float32Array(count);
    this.sorted = new Uint32Array(3 * count);
  }

  /** Middle distance of what is near the middle of the view, to turn about; null if nothing is. */
  depthAhead(camera) {
    const found = [];
    for (let i = 0; i < this.count; i++) {
      const at = i * WORDS;
      const [x, y, z] = camera.local([this.places[at], this.places[at + 1], this.places[at + 2]]);
      if (z > 0.1 && Math.abs(x) < 0.2 * z && Math.abs(y) < 0.2 * z) found.push(z);
    }
    found.sort((a, b) => a - b);
    return found.length ? found[Math.floor(found.length / 2)] : null;
  }

  /** @param scale pixels drawn per pixel of the view, along each side. */
  draw(camera, scale, marked) {
    const gl = this.gl, canvas = this.canvas;
    const width = Math.max(1, Math.round(camera.width * scale)), height = Math.max(1, Math.round(camera.height * scale));
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    gl.viewport(0, 0, width, height);
    gl.clear(gl.COLOR_BUFFER_BIT);
    if (!this.count) return;
    const shown = this.sort(camera);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, this.sorted.subarray(0, 3 * shown), gl.DYNAMIC_DRAW);
    gl.uniformMatrix3fv(this.at.turn, true, [...camera.right, ...camera.down, ...camera.ahead]);
    gl.uniform3fv(this.at.eye, camera.eye);
    gl.uniform1f(this.at.focal, (camera.focal * height) / camera.height);
    gl.uniform2f(this.at.size, width, height);
    gl.uniform1i(this.at.marked, marked);
    gl.drawElements(gl.TRIANGLES, 3 * shown, gl.UNSIGNED_INT, 0);  // (instances are slow without a GPU)
  }

  /** A triangle for each Gaussian in view, the farthest first, into `sorted`; returns how many Gaussians. */
  sort(camera) {
    const { places, depths, sorted, count } = this;
    const [ax, ay, az] = camera.ahead, [rx, ry, rz] = camera.right, [dx, dy, dz] = camera.down, [ex, ey, ez] = camera.eye;
    const wide = (0.65 * camera.width) / camera.focal, high = (0.65 * camera.height) / camera.focal;
    let far = NEAR_M;
    for (let i = 0, at = 0; i < count; i++, at += WORDS) {
      const x = places[at] - ex, y = places[at + 1] - ey, z = places[at + 2] - ez;
      const depth = ax * x + ay * y + az * z;
      const inView = depth >= NEAR_M && Math.abs(rx * x + ry * y + rz * z) < wide * depth + BESIDE_M
        && Math.abs(dx * x + dy * y + dz * z) < high * depth + BESIDE_M;
      depths[i] = inView ? depth : 0;
      if (inView && depth > far) far = depth;
    }
    const scale = (BUCKETS - 1) / (far - NEAR_M || 1);
    const ends = new Uint32Array(BUCKETS + 1);
    for (let i = 0; i < count; i++) if (depths[i]) ends[((far - depths[i]) * scale + 1) | 0]++;
    for (let k = 1; k <= BUCKETS; k++) ends[k] += ends[k - 1];
    for (let i = 0; i < count; i++) {
      if (!depths[i]) continue;
      const to = 3 * ends[((far - depths[i]) * scale) | 0]++, corner = 3 * i;
      sorted[to] = corner; sorted[to + 1] = corner + 1; sorted[to + 2] = corner + 2;
    }
    return ends[BUCKETS];
  }
}

function program(gl) {
  const made = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
    gl.attachShader(made, shader);
  }
  gl.linkProgram(made);
  if (!gl.getProgramParameter(made, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(made));
  return made;
}
