/* One attached connection to a door, made when it is needed and made anew when it was lost: calls and stream calls of ours go
 * out, what is said to a service comes in. Bodies are not looked at here. */
import { randomInt } from 'node:crypto';

import { ConnectError, lost, notThere } from './errors.js';
import { ClosedHere, Pipe } from './pipe.js';
import * as wire from './wire.js';

const DEADLINE_MAX_MS = 3600000;

const DEADLINE_MS = 30000; // the door's, for calls that name none
const GRACE_MS = 5000; // beyond a deadline: the door itself answers in time
const CANCELLED = 4; // px_status
const IDS = 2 ** 32;

/** A time as the door takes it; undefined: its own. Throws RangeError: it is none. */
export function deadlineOf(timeoutMs) {
    if (timeoutMs === undefined) {
        return 0;
    }
    if (!(timeoutMs >= 1 && timeoutMs <= DEADLINE_MAX_MS)) {
        throw new RangeError(`timeoutMs is in milliseconds, from 1 to ${DEADLINE_MAX_MS}; got ${timeoutMs}`);
    }
    return Math.trunc(timeoutMs);
}

/** What `promise` brings, or the reason of `signal` if that comes first. */
export function untilAborted(promise, signal) {
    if (signal === undefined) {
        return promise;
    }
    return new Promise((resolve, reject) => {
        const abort = () => reject(signal.reason);
        if (signal.aborted) {
            abort();
        }
        signal.addEventListener('abort', abort, { once: true });
        promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
    });
}

/** A call or stream call of ours that has not ended: items and the end, in order, for one reader. */
class Asking {
    #queue = [];
    #wake = null;
    ended = false; // nothing more will come

    constructor(id) {
        this.id = id;
    }

    /** Something has come: {item}, {reply} or {error}. */
    put(what) {
        this.ended ||= what.item === undefined;
        this.#queue.push(what);
        this.#wake?.();
    }

    /** The next of them. Throws the error. */
    async next() {
        while (this.#queue.length === 0) {
            await new Promise((resolve) => {
                this.#wake = resolve;
            });
        }
        const what = this.#queue.shift();
        if (what.error !== undefined) {
            throw what.error;
        }
        return what;
    }
}

/** See above. `hear(message)` gets what is said to us as a service; `end(error)` hears that an open connection ended. */
export class Connection {
    #hear;
    #end;
    #pipe = null;
    #coming = null; // the pipe that has not been greeted yet
    #opening = null;
    #asking = new Map(); // id to Asking
    #id = randomInt(IDS);

    constructor(name, { hear = () => {}, end = () => {} } = {}) {
        this.name = name;
        this.#hear = hear;
        this.#end = end;
    }

    get isOpen() {
        return this.#pipe !== null;
    }

    /** Connects, if that has not been done; who asks meanwhile waits for the same connection. */
    open() {
        if (this.#pipe !== null) {
            return Promise.resolve();
        }
        this.#opening ??= this.#connect().finally(() => {
            this.#opening = null;
        });
        return this.#opening;
    }

    /** Ends the connection; `error`: because it is broken. Twice is fine. */
    close(error = new ClosedHere()) {
        (this.#pipe ?? this.#coming)?.close(error);
    }

    /** Sends a message (wire.write), if the connection is open. */
    send(message) {
        this.#pipe?.send(wire.write(message));
    }

    /**
     * One request and its reply: {status, text, body, payload}. One that does no harm when it is made twice is made again if the
     * connection turns out to be gone.
     *
     * ask: {service, method (as asked), fullName, body, payload, deadlineMs, mayRepeat}. Throws ConnectError, or the signal's
     * reason.
     */
    async call(ask, signal) {
        const wasOpen = this.isOpen;
        try {
            return await this.#round(ask, signal);
        } catch (error) {
            if (!(wasOpen && ask.mayRepeat && !this.isOpen) || signal?.aborted) {
                throw explain(ask, error, signal);
            }
        }
        try {
            return await this.#round(ask, signal);
        } catch (error) {
            throw explain(ask, error, signal);
        }
    }

    /**
     * A stream call: a generator of items {body, payload} that returns the reply. `credit`: items that may wait here. Whoever
     * leaves it takes the call back. Throws as call().
     */
    async *stream(ask, credit, signal) {
        let asking = null;
        try {
            asking = await this.#begin(wire.STREAM, ask, signal).catch((error) => {
                throw explain(ask, error, signal);
            });
            this.send({ kind: wire.MORE, id: asking.id, number: credit });
            let taken = 0;
            for (let lateMs = ask.deadlineMs && lateOf(ask); ; lateMs = 0) {
                const what = await next(asking, lateMs, signal).catch((error) => {
                    throw explain(ask, error, signal);
                });
                if (what.reply !== undefined) {
                    return what.reply;
                }
                yield what.item;
                taken++;
                if (taken * 2 >= credit) {
                    this.send({ kind: wire.MORE, id: asking.id, number: taken });
                    taken = 0;
                }
            }
        } finally {
            this.#leave(asking);
        }
    }

    async #round(ask, signal) {
        let asking = null;
        try {
            asking = await this.#begin(wire.CALL, ask, signal);
            return (await next(asking, lateOf(ask), signal)).reply;
        } finally {
            this.#leave(asking);
        }
    }

    async #begin(kind, ask, signal) {
        if (this.#pipe === null) {
            await untilAborted(this.open(), signal);
        }
        this.#id = (this.#id + 1) % IDS; // that of a call that has not ended is not met again: there are 32
        const asking = new Asking(BigInt(this.#id));
        this.#asking.set(asking.id, asking);
        const { service, fullName: method, body, payload, deadlineMs: number } = ask;
        this.send({ kind, id: asking.id, service, method, number, body, payload });
        return asking;
    }

    /* Nobody waits for it any more. */
    #leave(asking) {
        if (asking !== null && this.#asking.delete(asking.id) && !asking.ended) {
            this.send({ kind: wire.ENDED, id: asking.id, status: CANCELLED });
        }
    }

    async #connect() {
        const tried = wire.places(this.name);
        let why;
        for (const path of tried) {
            const pipe = new Pipe(path, (bytes) => this.#take(bytes), (error) => this.#ended(pipe, error));
            this.#coming = pipe;
            try {
                await pipe.greet();
                this.#pipe = pipe;
                return;
            } catch (error) {
                why = error.code === 'ENOENT' ? why : error;
                if (error instanceof ClosedHere) {
                    break;
                }
            } finally {
                this.#coming = null;
            }
        }
        throw notThere(this.name, tried, why);
    }

    #ended(pipe, error) {
        if (pipe !== this.#pipe) {
            return;
        }
        this.#pipe = null;
        const asking = [...this.#asking.values()];
        this.#asking.clear();
        asking.forEach((one) => one.put({ error }));
        this.#end(error);
    }

    #take(bytes) {
        const message = wire.read(bytes);
        const asking = message.kind === wire.REPLY || message.kind === wire.ITEM ? this.#asking.get(message.id) : null;
        if (asking === null) {
            this.#hear(message);
        } else if (asking !== undefined) { // otherwise it came too late
            asking.put(message.kind === wire.REPLY ? { reply: message } : { item: message });
        }
    }
}

/* How long to wait until a door is late itself. */
function lateOf(ask) {
    return (ask.deadlineMs || DEADLINE_MS) + GRACE_MS;
}

async function next(asking, lateMs, signal) {
    if (lateMs === 0) {
        return untilAborted(asking.next(), signal);
    }
    const late = setTimeout(() => asking.put({ error: new Error('no answer came') }), lateMs);
    try {
        return await untilAborted(asking.next(), signal);
    } finally {
        clearTimeout(late);
    }
}

function explain({ service, method }, error, signal) {
    if (signal?.aborted && error === signal.reason) {
        return error;
    }
    if (error instanceof ConnectError) {
        return new ConnectError(error.text, error.remedy, { service, method, cause: error.cause });
    }
    return lost(service, method, error);
}
