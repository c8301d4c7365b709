// SPDX-License-Identifier: Apache-2.0
// Mouse, fingers and keys on the view.

const STILL_PX = 4;  // a press that moves less is a click
const KEYS = {
  KeyW: [0, 1, 0], ArrowUp: [0, 1, 0], KeyS: [0, -1, 0], ArrowDown: [0, -1, 0],
  KeyA: [-1, 0, 0], ArrowLeft: [-1, 0, 0], KeyD: [1, 0, 0], ArrowRight: [1, 0, 0],
  KeyE: [0, 0, 1], KeyQ: [0, 0, -1],
};

/**
 * @param {{changed: () => void, click: (x: number, y: number, how: {add: boolean, take: boolean}) => void}} on
 *   told when the camera was moved, and of clicks, in px of the view.
 */
export function handle(view, camera, on) {
  const pressed = new Map();  // pointers by id
  let path = 0, spread = 0;

  view.addEventListener("pointerdown", (event) => {
    if (event.target.closest("button")) return;
    view.setPointerCapture(event.pointerId);
    if (!pressed.size) path = 0;
    pressed.set(event.pointerId, [event.clientX, event.clientY]);
    spread = width();
  });
  view.addEventListener("pointermove", (event) => {
    const last = pressed.get(event.pointerId);
    if (!last) return;
    const [dx, dy] = [event.clientX - last[0], event.clientY - last[1]];
    path += Math.hypot(dx, dy);
    pressed.set(event.pointerId, [event.clientX, event.clientY]);
    if (path < STILL_PX) return;
    view.classList.add("dragging");
    if (pressed.size === 2) {
      const now = width();
      camera.zoom(Math.log(spread / now) / 0.12);
      camera.move(dx / 2, dy / 2);
      spread = now;
    } else if (event.shiftKey || event.buttons & 6) camera.move(dx, dy);
    else camera.turn(dx, dy);
    on.changed();
  });
  const released = (event) => {
    if (!pressed.delete(event.pointerId)) return;
    view.classList.remove("dragging");
    if (event.type !== "pointerup" || path >= STILL_PX || event.button !== 0) return;
    const box = view.getBoundingClientRect();
    on.click(event.clientX - box.left, event.clientY - box.top, { add: event.shiftKey, take: event.altKey });
  };
  view.addEventListener("pointerup", released);
  view.addEventListener("pointercancel", released);
  view.addEventListener("contextmenu", (event) => event.preventDefault());
  view.addEventListener("wheel", (event) => {
    event.preventDefault();
    camera.zoom(Math.sign(event.deltaY) * Math.min(3, Math.abs(event.deltaY) / 60));
    on.changed();
  }, { passive: false });
  view.addEventListener("keydown", (event) => {
    const step = KEYS[event.code];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    camera.walk(...step);
    on.changed();
  });

  function width() {
    const [a, b] = [...pressed.values()];
    return b ? Math.max(1, Math.hypot(a[0] - b[0], a[1] - b[1])) : 1;
  }
}
