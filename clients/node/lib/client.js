/* Calls and stream calls, and what is known of the services of a running system. */
import { setTimeout as delay } from 'node:timers/promises';

import { Connection, deadlineOf, untilAborted } from './connection.js';
import { CallError, ConnectError, Status, TypesError, callError, statusOf } from './errors.js';
import { CALL, CALL_IDEMPOTENT, ONEWAY, Reply, STREAM, Types, methodsOf, ownContract, pack, unpack } from './messages.js';
import { NOTHING } from './wire.js';

const INSPECT = 'inspect';
const CREDIT = 16; // items of a stream that may wait here
const CREDIT_MAX = 65536;
const RETRY_MS = 50;
const RETRY_MAX_MS = 2000;

/** Bytes of a payload that may be given as text. */
export function bytesOf(payload) {
    return typeof payload === 'string' ? Buffer.from(payload) : payload;
}

/* The end of a stream after which it may be begun anew. */
function isPassing(error) {
    return error instanceof ConnectError || error instanceof CallError
        && [Status.SERVICE_GONE, Status.NOT_FOUND, Status.BUSY].includes(error.status);
}

/** A connection to a running system. Made by connect(). */
export class Client {
    #types;
    #timeoutMs;
    #connection;
    #inspect;
    #services = new Map(); // name of a service to the promise of its methods

    constructor(name, types, timeoutMs) {
        deadlineOf(timeoutMs);
        this.name = name;
        this.#types = types;
        this.#timeoutMs = timeoutMs;
        this.#connection = new Connection(name, { end: () => this.#services.clear() }); // the next system may be another one
        this.#inspect = new Map(ownContract(types, 'inspect.Inspect').methods.map(({ name: method, input, output }) =>
            [method, {
                name: method, contract: 'inspect.Inspect', shape: method === 'Watch' ? STREAM : CALL_IDEMPOTENT, input, output,
            }]));
    }

    /** Calls a method: see index.d.ts. */
    async call(service, method, fields = {}, { payload = NOTHING, timeoutMs = this.#timeoutMs, signal } = {}) {
        signal?.throwIfAborted();
        const deadlineMs = deadlineOf(timeoutMs);
        const known = await this.#method(service, method, [CALL, CALL_IDEMPOTENT], signal);
        const raw = await this.#connection.call(ask(known, service, method, fields, payload, deadlineMs), signal);
        return understand(known, service, raw);
    }

    /** Calls a method that answers with a stream: see index.d.ts. */
    async *stream(service, method, fields = {}, options = {}) {
        const { payload = NOTHING, timeoutMs, credit = CREDIT, signal } = options;
        signal?.throwIfAborted();
        if (!(Number.isInteger(credit) && credit >= 1 && credit <= CREDIT_MAX)) {
            throw new RangeError(`credit is a number of items, from 1 to ${CREDIT_MAX}; got ${credit}`);
        }
        const deadlineMs = deadlineOf(timeoutMs);
        const known = await this.#method(service, method, [STREAM], signal);
        const items = this.#connection.stream(ask(known, service, method, fields, payload, deadlineMs), credit, signal);
        try {
            for (let what = await items.next(); ; what = await items.next()) {
                if (what.done) {
                    return understand(known, service, what.value);
                }
                yield understand(known, service, what.value);
            }
        } finally {
            await items.return();
        }
    }

    /** Hears a topic, and begins anew: see index.d.ts. */
    async *subscribe(service, topic, fields = {}, { retryMs = RETRY_MS, ...options } = {}) {
        let began = false;
        for (let waitMs = retryMs; ; waitMs = Math.min(waitMs * 2, RETRY_MAX_MS)) {
            try {
                for await (const item of this.stream(service, topic, fields, options)) {
                    began = true;
                    waitMs = retryMs;
                    yield item;
                }
                return;
            } catch (error) {
                if (!(began && isPassing(error))) {
                    throw error;
                }
            }
            await untilAborted(delay(waitMs, undefined, { signal: options.signal }), options.signal);
        }
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
    async *trace(service = '', { follow = true, position = 0, signal } = {}) {
        if (follow) {
            for await (const told of this.stream(INSPECT, 'Watch', { position, service }, { signal })) {
                yield* told.toObject().records;
            }
            return;
        }
        const end = (await this.system({ signal })).tracePosition;
        for (let at = position; at < end;) {
            const told = (await this.call(INSPECT, 'Trace', { position: at, service }, { signal })).toObject();
            yield* told.records;
            at = told.position;
        }
    }

    /** Ends the connection: see index.d.ts. */
    close() {
        this.#connection.close();
    }

    /** Connects, if that has not been done. */
    open() {
        return this.#connection.open();
    }

    async #method(service, method, shapes, signal) {
        const found = service === INSPECT ? this.#inspect : await untilAborted(this.#methods(service, method), signal);
        const known = found.get(method);
        if (known === undefined) {
            const names = [...new Set([...found.values()].map((one) => one.name))].sort().join(', ');
            throw callError(service, method, Status.NOT_FOUND, `${service} has no such method; it has: ${names}`);
        }
        if (!shapes.includes(known.shape)) {
            throw callError(service, method, Status.UNSUPPORTED, NOT_SO[known.shape]);
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
        const raw = await this.#connection.call(
            ask(known, INSPECT, 'Describe', { name: service }, NOTHING, deadlineOf(this.#timeoutMs)));
        if (statusOf(raw.status) === Status.NOT_FOUND) {
            throw callError(service, method, Status.NOT_FOUND, 'no service of that name takes calls');
        }
        return methodsOf(this.#types, service, understand(known, INSPECT, raw).message);
    }
}

const NOT_SO = {
    [STREAM]: 'it is not a single call: it answers with a stream',
    [CALL]: 'it is a single call: it does not answer with a stream',
    [CALL_IDEMPOTENT]: 'it is a single call: it does not answer with a stream',
    [ONEWAY]: 'it is not a call: it is never answered',
};

/** A request, as Connection takes it. */
export function ask(known, service, method, fields, payload, deadlineMs) {
    return {
        service,
        method,
        fullName: `${known.contract}.${known.name}`,
        body: pack(known.input, fields, { service, method }),
        payload: bytesOf(payload),
        deadlineMs,
        mayRepeat: known.shape === CALL_IDEMPOTENT,
    };
}

/** What a reply or an item says. Throws CallError, TypesError. */
export function understand(known, service, raw) {
    const status = statusOf(raw.status);
    if (status !== Status.OK) {
        throw callError(service, known.name, status, raw.text);
    }
    try {
        return new Reply(known.output, unpack(known.output, raw.body), raw.payload);
    } catch (cause) {
        throw new TypesError(`the answer does not fit its type: ${cause.message}`, 'install types and system of one version',
            { service, method: known.name, cause });
    }
}

/** Connects to a running system: see index.d.ts. */
export async function connect(name = 'plexus', { types, timeoutMs, signal } = {}) {
    signal?.throwIfAborted();
    const client = new Client(name, types instanceof Types ? types : new Types(types), timeoutMs);
    await untilAborted(client.open(), signal);
    return client;
}
