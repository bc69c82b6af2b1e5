/* Being a service: a connection that offers a name, is offered anew when it was lost, and answers calls. */
import { setTimeout as delay } from 'node:timers/promises';

import { ask, bytesOf, understand } from './client.js';
import { Connection } from './connection.js';
import { CallError, ConnectError, Refusal, Status, TypesError, callError, numberOf, statusOf } from './errors.js';
import { CALL, CALL_IDEMPOTENT, Reply, STREAM, Types, describe, ownContract, pack, unpack } from './messages.js';
import * as wire from './wire.js';

const NUMBER = 0x80; // of a contract of one's own, unless it says otherwise
const RETRY_MIN_MS = 50;
const RETRY_MAX_MS = 2000;
const TEXT_CHARS_MAX = 160; // of a refusal: at most 480 bytes, which is what the door takes

/** A name that is offered at a door, for as long as nobody closes it. `hear(message)` gets what is said to it; `lost()` hears
 * that all of it that was under way has ended. */
export class Service {
    #connection;
    #provide;
    #offer;
    #onError;
    #closing = new AbortController();
    #entering = false;
    #unfollow = () => {};

    constructor(door, types, offer, { hear, lost, onError }) {
        const { name: method, input, output } = ownContract(types, 'door.Door').methods[0];
        this.name = offer.name;
        this.there = false;
        this.#provide = { name: method, contract: 'door.Door', shape: CALL, input, output };
        this.#offer = offer;
        this.#onError = onError;
        this.#connection = new Connection(door, {
            hear,
            end: (error) => {
                this.there = false;
                lost();
                this.#again(error);
            },
        });
    }

    /** Says to the door what it is. Throws what connect() and Client.call() throw. */
    async enter(signal) {
        this.#entering = true;
        try {
            const raw = await this.#connection.call(ask(this.#provide, 'door', 'Provide', this.#offer, wire.NOTHING, 0), signal);
            understand(this.#provide, 'door', raw);
            this.there = true;
        } catch (error) {
            this.#connection.close();
            throw error;
        } finally {
            this.#entering = false;
        }
    }

    /** Ends with this signal. */
    follow(signal) {
        const close = () => this.close();
        signal.addEventListener('abort', close, { once: true });
        this.#unfollow = () => signal.removeEventListener('abort', close);
        if (signal.aborted) {
            close();
        }
    }

    send(message) {
        this.#connection.send(message);
    }

    /** Lets go of the name: see index.d.ts. */
    close() {
        this.#closing.abort();
        this.#unfollow();
        this.#connection.close();
    }

    /* It was lost: tries until it is there again. */
    async #again(error) {
        const { signal } = this.#closing;
        if (signal.aborted || this.#entering) {
            return;
        }
        this.#onError(new ConnectError(`the service '${this.name}' lost its connection to the door (${error.message})`,
            'nothing: it connects anew by itself', { service: this.name, method: 'Provide', cause: error }));
        for (let waitMs = RETRY_MIN_MS; !this.there && !signal.aborted; waitMs = Math.min(waitMs * 2, RETRY_MAX_MS)) {
            await delay(waitMs, undefined, { signal }).then(() => this.enter(signal)).catch((why) => {
                if (!signal.aborted && !(why instanceof ConnectError || why instanceof CallError)) {
                    this.#onError(why);
                }
            });
        }
        if (signal.aborted) {
            this.#connection.close();
        }
    }
}

/** What was asked of a service, as its handler sees it. */
export class Request extends Reply {
    #work;

    constructor(method, type, message, payload, work) {
        super(type, message, payload);
        this.method = method;
        this.#work = work;
    }

    /** Aborted when nobody waits for the answer any more. */
    get signal() {
        return this.#work.signal;
    }
}

/** What a handler returns, or a stream yields, when it has bytes beside its message. */
export class Answer {
    constructor(fields = {}, payload = wire.NOTHING) {
        this.fields = fields;
        this.payload = payload;
    }
}

/** A thing under way that may end early, with a signal that is made when somebody wants it. */
export class Work {
    #controller = null;
    ended = null; // why, an Error
    wake = () => {}; // what waits for this end or for credit
    credit = 0;

    get signal() {
        if (this.#controller === null) {
            this.#controller = new AbortController();
            if (this.ended !== null) {
                this.#controller.abort(this.ended);
            }
        }
        return this.#controller.signal;
    }

    end(reason) {
        if (this.ended === null) {
            this.ended = reason;
            this.#controller?.abort(reason);
            this.wake();
        }
    }

    /** It has ended as it should: there is nothing to abort. */
    finish() {
        this.ended ??= new Error('it is over');
        this.wake();
    }

    give(credit) {
        this.credit += credit;
        this.wake();
    }

    /** Resolves when there is so much credit, or it has ended: false. */
    async has(credit) {
        while (this.credit < credit && this.ended === null) {
            await new Promise((resolve) => {
                this.wake = resolve;
            });
        }
        return this.ended === null;
    }
}

/* What a .proto says: `returns (stream X)`, idempotency_level. */
function shapeOf({ methodKind, idempotency }) {
    if (methodKind === 'server_streaming') {
        return STREAM;
    }
    return idempotency > 0 ? CALL_IDEMPOTENT : CALL;
}

/* The methods of a contract with what runs them: by name. Throws TypesError: a handler has no method. */
function methodsWith(contract, handlers) {
    const found = new Map(contract.methods.map((method) => {
        const { name, input, output } = method;
        return [name, { name, input, output, shape: shapeOf(method), run: null }];
    }));
    for (const [name, handler] of Object.entries(handlers)) {
        const method = found.get(name);
        const run = typeof handler === 'function' ? handler : handler.call ?? handler.stream;
        if (method === undefined || typeof run !== 'function') {
            throw new TypesError(method === undefined ? `there is no method '${name}'` : `'${name}' has no function`,
                `its methods are: ${[...found.keys()].join(', ')}`, { service: contract.typeName, method: name });
        }
        method.run = run;
        if (typeof handler !== 'function') {
            method.shape = handler.stream !== undefined ? STREAM : handler.idempotent ? CALL_IDEMPOTENT : method.shape;
        }
    }
    return found;
}

/* Answers calls of a contract, by handlers. */
class Answering {
    #works = new Map(); // id of a call to Work
    #methods;
    #onError;

    constructor(methods, onError) {
        this.#methods = methods;
        this.#onError = onError;
    }

    hear(message) {
        const work = this.#works.get(message.id);
        if (message.kind === wire.CALL || message.kind === wire.STREAM) {
            this.#answer(message);
        } else if (message.kind === wire.MORE) {
            work?.give(message.number);
        } else if (message.kind === wire.ENDED) {
            const status = statusOf(message.status);
            work?.end(callError(this.service.name, work.method, status, 'nobody waits for the answer any more'));
        }
    }

    lost() {
        for (const work of this.#works.values()) {
            work.end(callError(this.service.name, work.method, Status.SERVICE_GONE, 'the connection to the door was lost'));
        }
        this.#works.clear();
    }

    async #answer({ kind, id, method: asked, body, payload }) {
        const work = new Work();
        const name = asked.slice(asked.lastIndexOf('.') + 1);
        work.method = name;
        this.#works.set(id, work);
        try {
            const method = this.#methods.get(name);
            if (method === undefined || method.run === null || (method.shape === STREAM) !== (kind === wire.STREAM)) {
                throw new Refusal(Status.UNSUPPORTED, `${this.service.name} does not answer ${name}, or not in that way`);
            }
            const run = kind === wire.STREAM ? this.#stream : this.#call;
            await run.call(this, id, work, method, new Request(name, method.input, this.#taken(method, body), payload, work));
        } catch (error) {
            this.#refuse(id, work, error);
        } finally {
            this.#works.delete(id);
        }
    }

    #taken(method, body) {
        try {
            return unpack(method.input, body);
        } catch (error) {
            throw new Refusal(Status.BAD_REQUEST, `not a ${method.input.typeName}: ${error.message}`);
        }
    }

    async #call(id, work, method, request) {
        const answer = await method.run(request);
        if (work.ended === null) {
            this.#send(wire.REPLY, id, method, answer);
        }
    }

    async #stream(id, work, method, request) {
        const items = method.run(request)[Symbol.asyncIterator]();
        let what = { done: false };
        try {
            while (!what.done && await work.has(1)) {
                what = await items.next();
                if (work.ended === null) {
                    work.credit--;
                    this.#send(what.done ? wire.REPLY : wire.ITEM, id, method, what.value);
                }
            }
        } finally {
            if (!what.done) {
                await items.return?.();
            }
        }
    }

    #send(kind, id, method, answer = {}) {
        const { fields, payload } = answer instanceof Answer ? answer : { fields: answer, payload: wire.NOTHING };
        const body = pack(method.output, fields, { service: this.service.name, method: method.name });
        this.service.send({ kind, id, body, payload: bytesOf(payload) });
    }

    #refuse(id, work, error) {
        const isRefusal = error instanceof Refusal;
        if (work.ended !== null) {
            return; // nobody listens, and that may be why
        }
        if (!isRefusal) {
            this.#onError(error);
        }
        const text = isRefusal ? error.text : `the method failed with ${error?.name ?? error}`;
        const status = numberOf(isRefusal ? error.status : Status.INTERNAL);
        this.service.send({ kind: wire.REPLY, id, status, text: text.replaceAll(/\s+/g, ' ').slice(0, TEXT_CHARS_MAX) });
    }
}

/** Says on standard error what nobody else hears of. */
export function complain(error) {
    console.error(error);
}

/** Types of Plexus itself, and those that are named. */
export function typesOf(types) {
    return types instanceof Types ? types : Types.installed(...(types ?? []));
}

/** Becomes a service: see index.d.ts. */
export async function provide(door, { name, contract, methods, number = NUMBER, types }, { signal, onError = complain } = {}) {
    signal?.throwIfAborted();
    const known = typesOf(types);
    const service = known.service(contract);
    if (service === undefined) {
        throw new TypesError(`there is no contract '${contract}'`, 'name its descriptor set in `types`',
            { service: name, method: 'Provide' });
    }
    const found = methodsWith(service, methods);
    const answering = new Answering(found, onError);
    const shapes = [...found.values()].map((method) => method.shape);
    const description = pack(known.message('inspect.Description'), describe(service, number, shapes),
        { service: name, method: 'Provide' });
    answering.service = new Service(door, known, { name, description }, {
        hear: (message) => answering.hear(message), lost: () => answering.lost(), onError,
    });
    return enter(answering.service, signal);
}

/** A service that is there and ends with the signal. */
export async function enter(service, signal) {
    await service.enter(signal);
    if (signal !== undefined) {
        service.follow(signal);
    }
    return service;
}
