/* A connection to a running system, and what is known of its services. */
import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

import { ConnectError, Status, TypesError, callError, lost, notThere, statusOf } from './errors.js';
import { CALL, CALL_IDEMPOTENT, Reply, STREAM, Types, methodsOf, ownContract, pack, unpack } from './messages.js';
import { Pipe } from './pipe.js';
import * as wire from './wire.js';

const INSPECT = 'inspect';
const DEADLINE_MS = 30000; // the door's, for calls that name none
const DEADLINE_MAX_MS = 3600000;
const GRACE_MS = 5000; // beyond a deadline: the door itself answers in time
const NUMBERS = 0x80000000;
const NOTHING = Buffer.alloc(0);

/** A time as the door takes it. Throws RangeError: it is none. */
function deadlineMs(timeoutMs) {
    if (timeoutMs === undefined) {
        return 0;
    }
    if (!(timeoutMs >= 1 && timeoutMs <= DEADLINE_MAX_MS)) {
        throw new RangeError(`timeoutMs is in milliseconds, from 1 to ${DEADLINE_MAX_MS}; got ${timeoutMs}`);
    }
    return Math.trunc(timeoutMs);
}

/** What `promise` brings, or the reason of `signal` if that comes first. */
function untilAborted(promise, signal) {
    if (signal === undefined) {
        return promise;
    }
    return new Promise((resolve, reject) => {
        const abort = () => reject(signal.reason);
        signal.addEventListener('abort', abort, { once: true });
        promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
    });
}

class ClosedHere extends Error {
    constructor() {
        super('it was closed here');
    }
}

/** A connection to a running system. Made by connect(). */
export class Client {
    #types;
    #timeoutMs;
    #pipe = null;
    #coming = null; // the pipe that has not been greeted yet
    #opening = null;
    #waiting = new Map(); // number of a request to {resolve, reject}
    #number = randomInt(NUMBERS);
    #inspect;
    #services = new Map(); // name of a service to the promise of its methods

    constructor(name, types, timeoutMs) {
        deadlineMs(timeoutMs);
        this.name = name;
        this.#types = types;
        this.#timeoutMs = timeoutMs;
        this.#inspect = new Map(ownContract(types, 'inspect.Inspect').methods.map(({ name: method, input, output }) =>
            [method, { name: method, contract: 'inspect.Inspect', shape: CALL_IDEMPOTENT, input, output }]));
    }

    /** Calls a method: see index.d.ts. */
    async call(service, method, fields = {}, { payload = NOTHING, timeoutMs = this.#timeoutMs, signal } = {}) {
        signal?.throwIfAborted();
        const deadline = deadlineMs(timeoutMs);
        const known = await this.#method(service, method, signal);
        if (known.shape !== CALL && known.shape !== CALL_IDEMPOTENT) {
            throw callError(service, method, Status.UNSUPPORTED, 'it is not a single call: it '
                + (known.shape === STREAM ? 'answers with a stream' : 'is never answered'));
        }
        const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
        const raw = await this.#ask({
            service,
            method,
            fullName: `${known.contract}.${known.name}`,
            body: pack(known.input, fields, { service, method }),
            payload: bytes,
            deadlineMs: deadline,
            mayRepeat: known.shape === CALL_IDEMPOTENT,
        }, signal);
        return Client.#understand(service, known, raw);
    }

    /** The system as a whole: see index.d.ts. */
    async system(options) {
        return (await this.call(INSPECT, 'System', {}, options)).toObject();
    }

    /** Every mailbox: see index.d.ts. */
    async services(options) {
        return (await this.call(INSPECT, 'Services', {}, options)).toObject().services;
    }

    /** Who said how much to whom: see index.d.ts. */
    async edges(options) {
        return (await this.call(INSPECT, 'Edges', {}, options)).toObject();
    }

    /** Messages that were sent: see index.d.ts. */
    async *trace(service = '', { follow = true, position = 0, intervalMs = 100, signal } = {}) {
        const end = follow ? Infinity : (await this.system({ signal })).tracePosition;
        for (let at = position; at < end;) {
            const told = (await this.call(INSPECT, 'Trace', { position: at, service }, { signal })).toObject();
            yield* told.records;
            if (follow && told.position === at) {
                await untilAborted(delay(intervalMs, undefined, { signal }), signal);
            }
            at = told.position;
        }
    }

    /** Ends the connection: see index.d.ts. */
    close() {
        (this.#pipe ?? this.#coming)?.close(new ClosedHere());
    }

    /** Connects, if that has not been done; who calls meanwhile waits for the same connection. */
    open() {
        if (this.#pipe !== null) {
            return Promise.resolve();
        }
        this.#opening ??= this.#connect().finally(() => {
            this.#opening = null;
        });
        return this.#opening;
    }

    async #connect() {
        const tried = wire.places(this.name);
        let why;
        for (const path of tried) {
            const pipe = new Pipe(path, (message) => this.#take(message), (error) => this.#ended(pipe, error));
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

    /* The connection is gone; the next system may be another one. */
    #ended(pipe, error) {
        if (pipe !== this.#pipe) {
            return;
        }
        this.#pipe = null;
        this.#services.clear();
        const waiting = [...this.#waiting.values()];
        this.#waiting.clear();
        for (const { reject } of waiting) {
            reject(error);
        }
    }

    #take(message) {
        const raw = wire.reply(message);
        this.#waiting.get(raw.number)?.resolve(raw);
    }

    async #method(service, method, signal) {
        const found = service === INSPECT ? this.#inspect : await untilAborted(this.#methods(service, method), signal);
        const known = found.get(method);
        if (known === undefined) {
            const names = [...new Set([...found.values()].map((one) => one.name))].sort().join(', ');
            throw callError(service, method, Status.NOT_FOUND, `${service} has no such method; it has: ${names}`);
        }
        return known;
    }

    /* What methods a service has; asked once, however many want to know. */
    #methods(service, method) {
        let found = this.#services.get(service);
        if (found === undefined) {
            found = this.#learn(service, method);
            this.#services.set(service, found);
            found.catch(() => {
                if (this.#services.get(service) === found) {
                    this.#services.delete(service);
                }
            });
        }
        return found;
    }

    async #learn(service, method) {
        const known = this.#inspect.get('Describe');
        const raw = await this.#ask({
            service: INSPECT,
            method: 'Describe',
            fullName: 'inspect.Inspect.Describe',
            body: pack(known.input, { name: service }, { service: INSPECT, method: 'Describe' }),
            payload: NOTHING,
            deadlineMs: deadlineMs(this.#timeoutMs),
            mayRepeat: true,
        });
        if (statusOf(raw.status) === Status.NOT_FOUND) {
            throw callError(service, method, Status.NOT_FOUND, 'no service of that name takes calls');
        }
        return methodsOf(this.#types, service, Client.#understand(INSPECT, known, raw).message);
    }

    /* One request and its reply. One that does no harm when it is made twice is made again if the connection turns out to be
     * gone. */
    async #ask(ask, signal) {
        const wasOpen = this.#pipe !== null;
        try {
            return await this.#round(ask, signal);
        } catch (error) {
            if (!(wasOpen && ask.mayRepeat && this.#pipe === null) || signal?.aborted) {
                throw Client.#explain(ask, error, signal);
            }
        }
        try {
            return await this.#round(ask, signal);
        } catch (error) {
            throw Client.#explain(ask, error, signal);
        }
    }

    static #explain({ service, method }, error, signal) {
        if (signal?.aborted && error === signal.reason) {
            return error;
        }
        if (error instanceof ConnectError) {
            return new ConnectError(error.text, error.remedy, { service, method, cause: error.cause });
        }
        return lost(service, method, error);
    }

    async #round(ask, signal) {
        await untilAborted(this.open(), signal);
        const number = this.#number;
        this.#number = (number + 1) % NUMBERS;
        const waiting = new Promise((resolve, reject) => {
            this.#waiting.set(number, { resolve, reject });
        });
        const late = setTimeout(() => this.#waiting.get(number)?.reject(new Error('no answer came')),
            (ask.deadlineMs || DEADLINE_MS) + GRACE_MS);
        try {
            this.#pipe.send(wire.request(number, ask));
            return await untilAborted(waiting, signal);
        } finally {
            clearTimeout(late);
            this.#waiting.delete(number);
        }
    }

    static #understand(service, method, raw) {
        const status = statusOf(raw.status);
        if (status !== Status.OK) {
            throw callError(service, method.name, status, raw.text);
        }
        try {
            return new Reply(method.output, unpack(method.output, raw.body), raw.payload);
        } catch (cause) {
            throw new TypesError(`the answer does not fit its type: ${cause.message}`, 'install types and system of one version',
                { service, method: method.name, cause });
        }
    }
}

/** Connects to a running system: see index.d.ts. */
export async function connect(name = 'plexus', { types, timeoutMs, signal } = {}) {
    signal?.throwIfAborted();
    const client = new Client(name, types instanceof Types ? types : new Types(types), timeoutMs);
    await untilAborted(client.open(), signal);
    return client;
}
