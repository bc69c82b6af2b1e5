/* A connection to a door: bytes come in in any pieces, messages go up whole. */
import net from 'node:net';

import { GREETING, HEAD_LEN, messageLen } from './wire.js';

/** How long a door may take to greet, in milliseconds. */
const GREET_MS = 5000;

/** Why a connection ended that its owner closed. */
export class ClosedHere extends Error {
    constructor() {
        super('it was closed here');
    }
}

/** One connection. `onMessage(bytes)` for each message; `onEnd(error)` once, at the end, whoever ended it. */
export class Pipe {
    #socket;
    #parts = [];
    #have = 0;
    #need = GREETING.length; // bytes that complete what is next
    #greeted = null;
    #held = false;
    #ended = false;

    constructor(path, onMessage, onEnd) {
        this.onMessage = onMessage;
        this.onEnd = onEnd;
        this.#socket = net.connect({ path });
        this.#socket.on('data', (chunk) => this.#guard(() => this.#take(chunk)));
        this.#socket.on('error', (error) => this.close(error));
        this.#socket.on('close', () => this.close(new Error('it was closed')));
    }

    /** Says what this end speaks; resolves when the far end has said that it does too, rejects with what went wrong. */
    greet() {
        return new Promise((resolve, reject) => {
            const late = setTimeout(() => this.close(new Error('it does not greet')), GREET_MS);
            this.#greeted = (error) => {
                clearTimeout(late);
                this.#greeted = null;
                if (error === undefined) {
                    resolve();
                } else {
                    reject(error);
                }
            };
            this.#socket.write(GREETING);
        });
    }

    /** Writes pieces one behind the other; all that is sent in one go of the event loop leaves together. */
    send(pieces) {
        if (!this.#held) {
            this.#held = true;
            this.#socket.cork();
            process.nextTick(() => {
                this.#held = false;
                this.#socket.uncork();
            });
        }
        for (const piece of pieces) {
            if (piece.length > 0) {
                this.#socket.write(piece);
            }
        }
    }

    /** Ends the connection; what was sent before a ClosedHere still leaves. `error`: why. Twice is fine. */
    close(error) {
        if (this.#ended) {
            return;
        }
        this.#ended = true;
        if (error instanceof ClosedHere && this.#greeted === null) {
            this.#socket.end(() => this.#socket.destroy());
        } else {
            this.#socket.destroy();
        }
        this.#greeted?.(error);
        this.onEnd(error);
    }

    #guard(take) {
        try {
            take();
        } catch (error) {
            this.close(error);
        }
    }

    #take(chunk) {
        this.#parts.push(chunk);
        this.#have += chunk.length;
        if (this.#have < this.#need) {
            return;
        }
        const bytes = this.#parts.length === 1 ? chunk : Buffer.concat(this.#parts);
        let at = this.#greeted === null ? 0 : this.#takeGreeting(bytes);
        for (;;) {
            this.#need = HEAD_LEN;
            if (bytes.length - at < HEAD_LEN) {
                break;
            }
            this.#need += messageLen(bytes, at);
            if (bytes.length - at < this.#need || this.#ended) {
                break;
            }
            this.onMessage(bytes.subarray(at + HEAD_LEN, at + this.#need));
            at += this.#need;
        }
        this.#parts = at < bytes.length ? [bytes.subarray(at)] : [];
        this.#have = bytes.length - at;
    }

    #takeGreeting(bytes) {
        if (!bytes.subarray(0, GREETING.length).equals(GREETING)) {
            throw new Error('what answers is not a door');
        }
        this.#greeted();
        return GREETING.length;
    }
}
