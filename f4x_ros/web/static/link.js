// SPDX-License-Identifier: Apache-2.0
// The connection to the map: questions with their answers, and what comes unasked.

const AGAIN_MS = 1500;

/** Asks the server that this page is from, over one WebSocket that is opened again when it closes. */
export class Link {
  /**
   * @param {{open: () => void, close: (why: string) => void, event: (name: string, value: object) => void,
   *          busy: (waiting: number) => void}} on told what happens.
   */
  constructor(on) {
    this.on = on;
    this.number = 0;
    this.waiting = new Map();
    this.connect();
  }

  connect() {
    const address = new URL("talk" + location.search, location.href);  // behind any forwarding
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    this.socket = new WebSocket(address);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => this.on.open();
    this.socket.onmessage = (message) => this.take(message.data);
    this.socket.onclose = (event) => {
      for (const one of this.waiting.values()) one.reject(new Error("the connection was closed"));
      this.waiting.clear();
      this.on.busy(0);
      this.on.close(event.reason || "the map is not there: f4x was stopped, or the network is");
      setTimeout(() => this.connect(), AGAIN_MS);
    };
  }

  /** Ask; resolves to {value, data}, data a Uint8Array or null. Rejects with what is wrong. */
  ask(what, given = {}) {
    if (this.socket.readyState !== WebSocket.OPEN) return Promise.reject(new Error("the map is not there"));
    const id = ++this.number;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.on.busy(this.waiting.size);
      this.socket.send(JSON.stringify({ ...given, id, do: what }));
    });
  }

  take(message) {
    let data = null;
    if (message instanceof ArrayBuffer) {
      const length = new DataView(message).getUint32(0, true);
      data = new Uint8Array(message, 4 + length);
      message = new TextDecoder().decode(new Uint8Array(message, 4, length));
    }
    const said = JSON.parse(message);
    if (said.event) return this.on.event(said.event, said.value);
    const one = this.waiting.get(said.id);
    this.waiting.delete(said.id);
    this.on.busy(this.waiting.size);
    if (!one) return;
    if (said.error !== undefined) one.reject(new Error(said.error));
    else one.resolve({ value: said.value, data });
  }
}

/** Runs something that is slow again and again, never twice at a time, always for the latest wish. */
export class Latest {
  constructor(run) {
    this.run = run;
    this.running = false;
    this.again = false;
  }

  async wish() {
    if (this.running) {
      this.again = true;
      return;
    }
    this.running = true;
    try {
      do {
        this.again = false;
        await this.run();
      } while (this.again);
    } finally {
      this.running = false;
    }
  }
}
