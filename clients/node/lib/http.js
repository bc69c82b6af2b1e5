/* An HTTP handler: a service that fulfils http.Responder for the mailbox `app` (proto/http.proto), which is what a route with
 * `service: NAME` asks. Bodies pass under credit both ways. */
import { create, toBinary } from '@bufbuild/protobuf';

import { Status, callError, statusOf } from './errors.js';
import { ONEWAY, contractHash, ownContract, unpack } from './messages.js';
import { Service, Work, complain, enter, typesOf } from './service.js';
import * as wire from './wire.js';

const RESPONDER_NUMBER = 3; // px/contracts/http_contract.h
const APP = 'app';
const CHARGE_MIN = 512; // what a message costs at least, in bytes of credit
const WINDOW = 65536; // of a request's body
const FREE_MAX = 16384; // bytes of a response's body that need no credit
const PIECE_MAX = 65536;
const BODY_MAX = 16 << 20; // that bytes(), text() and json() take, unless told otherwise
const CANCELLED = 4; // px_status
const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const DEFAULT_TYPE = 'text/plain; charset=utf-8';

function latin1(bytes) {
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

/* Pairs of names in lower case and values, from whatever headers may be: pairs, Headers, Map or an object. */
function* pairsOf(headers) {
    for (const [name, value] of headers[Symbol.iterator] ? headers : Object.entries(headers)) {
        for (const one of Array.isArray(value) ? value : [value]) {
            if (one === undefined) {
                continue;
            }
            if (!NAME.test(name) || !VALUE.test(String(one))) {
                throw new TypeError(`not a header field: ${JSON.stringify(name)}: ${JSON.stringify(one)}`);
            }
            yield [name.toLowerCase(), String(one)];
        }
    }
}

/* Bytes of a body that is there as a whole, or null: it comes in pieces. */
function wholeOf(body) {
    if (body === undefined || body === null) {
        return wire.NOTHING;
    }
    if (typeof body === 'string') {
        return Buffer.from(body);
    }
    return body instanceof Uint8Array ? body : null;
}

/* Not a body alone. */
function isResponse(response) {
    return typeof response === 'object' && response !== null && wholeOf(response) === null
        && response[Symbol.asyncIterator] === undefined && response[Symbol.iterator] === undefined;
}

/* '127.0.0.1:80', '[::1]:80'; empty for a unix socket. */
function addressOf(bytes) {
    if (bytes.length < 6) {
        return '';
    }
    const view = Buffer.from(bytes);
    const port = view.readUInt16BE(bytes.length - 2);
    if (bytes.length === 6) {
        return `${view.subarray(0, 4).join('.')}:${port}`;
    }
    const groups = Array.from({ length: 8 }, (_, i) => view.readUInt16BE(2 * i).toString(16));
    return `${new URL(`http://[${groups.join(':')}]`).hostname}:${port}`;
}

/** A request, as its handler sees it. */
export class HttpRequest {
    #exchange;
    #head;
    #headers = null;
    trailers = {};

    constructor(exchange, head) {
        this.#exchange = exchange;
        this.#head = head;
        this.method = latin1(head.method);
        this.target = latin1(head.path);
    }

    get path() {
        const [path] = this.target.split('?', 1);
        try {
            return decodeURIComponent(path);
        } catch {
            return path;
        }
    }

    get query() {
        return new URLSearchParams(this.target.slice(this.target.split('?', 1)[0].length));
    }

    get headers() {
        this.#headers ??= this.#exchange.headersOf(this.#head.fields);
        return this.#headers;
    }

    get scheme() {
        return latin1(this.#head.scheme);
    }

    get authority() {
        return latin1(this.#head.authority);
    }

    get remote() {
        return addressOf(this.#head.remote);
    }

    get version() {
        return this.#head.version / 10;
    }

    /** Aborted when the client has gone before the response was complete. */
    get signal() {
        return this.#exchange.work.signal;
    }

    /** Sends an interim response. */
    inform(status, headers = {}) {
        this.#exchange.inform(status, headers);
    }

    /** The body, piece by piece, as fast as it is read. */
    [Symbol.asyncIterator]() {
        return this.#exchange.body();
    }

    async bytes(max = BODY_MAX) {
        const parts = [];
        let length = 0;
        for await (const part of this) {
            length += part.length;
            if (length > max) {
                throw Object.assign(new RangeError(`the body has more than ${max} bytes`), { status: 413 });
            }
            parts.push(part);
        }
        return Buffer.concat(parts, length);
    }

    async text(max) {
        return (await this.bytes(max)).toString();
    }

    async json(max) {
        const text = await this.text(max);
        try {
            return JSON.parse(text);
        } catch (error) {
            throw Object.assign(error, { status: 400 });
        }
    }
}

/* One request and its response. */
class Exchange {
    #http;
    #self; // our handle
    #requester; // theirs
    #told = false; // they know ours
    begun = false; // the response
    #parts = []; // of the request's body, not read yet
    #whole; // nothing follows those
    #owed = 0; // credit for what was read, not given back yet
    #opened = false;
    #wake = () => {};
    #isHead;

    constructor(http, self, head) {
        this.#http = http;
        this.#self = self;
        this.#requester = head.requester;
        this.#whole = head.fin;
        this.work = new Work();
        this.work.credit = head.credit;
        this.request = new HttpRequest(this, head);
        this.#isHead = this.request.method === 'HEAD';
        this.what = `${this.request.method} ${this.request.target}`;
    }

    headersOf(fields) {
        const found = Object.create(null);
        for (const { name, value } of unpack(this.#http.types.HeaderList, fields).fields) {
            const key = latin1(name);
            const joint = key === 'cookie' ? '; ' : ', ';
            found[key] = key in found ? found[key] + joint + latin1(value) : latin1(value);
        }
        return found;
    }

    /* ---- what comes ---- */

    data(payload, fin) {
        if (payload.length > 0) {
            this.#parts.push(payload);
        }
        this.#whole ||= fin;
        this.#wake();
    }

    end(status) {
        if (status === Status.OK) {
            this.work.finish();
        } else {
            this.work.end(callError(this.#http.name, this.what, status, 'the request ended before its response was complete'));
        }
        this.#wake();
    }

    /** Says our handle, so that we hear of the end. */
    tell() {
        if (!this.#told && this.work.ended === null) {
            this.#credit(0);
        }
    }

    async *body() {
        if (!this.#opened && !this.#whole) {
            this.#credit(WINDOW);
        }
        this.#opened = true;
        for (;;) {
            const part = this.#parts.shift();
            if (part !== undefined) {
                yield part;
                this.#settle(Math.max(part.length, CHARGE_MIN));
            } else if (this.#whole) {
                return;
            } else if (this.work.ended !== null) {
                throw this.work.ended;
            } else {
                await new Promise((resolve) => {
                    this.#wake = resolve;
                });
            }
        }
    }

    #settle(charge) {
        this.#owed += charge;
        if (this.#owed * 2 >= WINDOW && !this.#whole) {
            this.#credit(this.#owed);
            this.#owed = 0;
        }
    }

    /* ---- what goes ---- */

    #say(method, type, fields, payload) {
        this.#http.say(this.#requester, method, type, fields, payload);
    }

    #credit(bytes) {
        this.#told = true;
        this.#say('Credit', 'ExchangeCredit', { responder: this.#self, bytes });
    }

    inform(status, headers) {
        if (!(status >= 102 && status <= 199)) {
            throw new RangeError(`an interim response has a status from 102 to 199; got ${status}`);
        }
        this.tell();
        this.#say('Inform', 'InterimResponse', { status, fields: this.#http.fieldsOf([...pairsOf(headers)]) });
    }

    /** Answers: with what a handler has returned. Throws RangeError, TypeError: it is no response. */
    async respond(response) {
        const { status = 200, headers = {}, body } = isResponse(response) ? response : { body: response };
        if (!(Number.isInteger(status) && status >= 200 && status <= 999)) {
            throw new RangeError(`a response has a status from 200 to 999; got ${status}`);
        }
        const pairs = [...pairsOf(headers)];
        if (typeof body === 'string' && !pairs.some(([name]) => name === 'content-type')) {
            pairs.push(['content-type', DEFAULT_TYPE]);
        }
        const announced = pairs.findIndex(([name]) => name === 'content-length');
        const said = announced < 0 ? undefined : Number(pairs.splice(announced, 1)[0][1]);
        const whole = wholeOf(body);
        const length = whole === null ? said : this.#isHead && said !== undefined ? said : whole.length;
        const iterator = whole === null ? body[Symbol.asyncIterator]?.() ?? body[Symbol.iterator]?.() : null;
        if (iterator === undefined) {
            throw new TypeError('a body is a string, bytes, or what can be iterated over to have these');
        }
        const bodiless = this.#isHead || status === 204 || status === 304;
        const first = bodiless || whole === null ? wire.NOTHING : whole.subarray(0, FREE_MAX);
        const fin = bodiless || (whole !== null && first.length === whole.length);
        this.begun = this.#told = true;
        this.#say('Respond', 'Response', {
            responder: this.#self,
            status,
            fields: this.#http.fieldsOf(pairs),
            fin,
            hasLength: length !== undefined && status !== 204 && (status !== 304 || length > 0),
            length: BigInt(length ?? 0),
        }, first);
        if (whole === null) {
            await this.#stream(iterator, bodiless);
        } else if (!fin) {
            await this.#write(whole.subarray(FREE_MAX), true);
        }
    }

    async #stream(iterator, bodiless) {
        let what = { done: false };
        try {
            while (!bodiless && !what.done && this.work.ended === null) {
                what = await iterator.next();
                const part = what.done ? wire.NOTHING : wholeOf(what.value);
                if (part === null) {
                    throw new TypeError('a body is made of strings and bytes');
                }
                await this.#write(part, what.done === true);
            }
        } finally {
            if (!what.done) {
                await iterator.return?.();
            }
        }
    }

    /* As much of it at a time as there is credit. */
    async #write(bytes, fin) {
        for (let at = 0; at < bytes.length || (fin && at === 0 && bytes.length === 0);) {
            if (!await this.work.has(CHARGE_MIN)) {
                return;
            }
            const length = Math.min(bytes.length - at, this.work.credit, PIECE_MAX);
            this.work.credit -= Math.max(length, CHARGE_MIN);
            this.#say('Data', 'BodyBytes', { fin: fin && at + length === bytes.length }, bytes.subarray(at, at + length));
            if (length === 0) {
                return;
            }
            at += length;
        }
    }

    /** Gives up: the client is told by an answer in our place, or the end of its connection. */
    cancel() {
        if (this.work.ended === null) {
            this.#say('Cancel', 'CancelExchange', { responder: this.#told ? 0n : this.#self, reason: CANCELLED });
        }
    }
}

/* All requests that are with one service. */
class Http {
    #exchanges = new Map(); // our handle to Exchange
    #handle = 0n;
    #handler;
    #onError;

    constructor(types, name, handler, onError) {
        this.name = name;
        this.#handler = handler;
        this.#onError = onError;
        this.types = Object.fromEntries(['BodyBytes', 'CancelExchange', 'EndedExchange', 'ExchangeCredit', 'HeaderList',
            'InterimResponse', 'Request', 'Response', 'TrailerFields'].map((type) => [type, types.message(`http.${type}`)]));
    }

    say(id, method, type, fields, payload) {
        const body = toBinary(this.types[type], create(this.types[type], fields));
        this.service.send({ kind: wire.ONEWAY, id, service: APP, method: `http.Requester.${method}`, body, payload });
    }

    fieldsOf(pairs) {
        const fields = pairs.map(([name, value]) => ({ name: Buffer.from(name, 'latin1'), value: Buffer.from(value, 'latin1') }));
        return toBinary(this.types.HeaderList, create(this.types.HeaderList, { fields }));
    }

    hear({ kind, id, method, body, payload }) {
        const exchange = this.#exchanges.get(id);
        const name = method.slice(method.lastIndexOf('.') + 1);
        if (kind === wire.ONEWAY && name === 'Exchange') {
            this.#begin(unpack(this.types.Request, body));
        } else if (exchange === undefined) {
            return; // it ended before
        } else if (kind === wire.LOST || name === 'Cancel') {
            exchange.cancel();
            this.#ended(id, exchange, Status.CANCELLED);
        } else if (name === 'Data') {
            exchange.data(payload, unpack(this.types.BodyBytes, body).fin);
        } else if (name === 'Trailers') {
            exchange.request.trailers = exchange.headersOf(unpack(this.types.TrailerFields, body).fields);
            exchange.data(payload, true);
        } else if (name === 'Credit') {
            exchange.work.give(unpack(this.types.ExchangeCredit, body).bytes);
        } else if (name === 'Ended') {
            this.#ended(id, exchange, statusOf(unpack(this.types.EndedExchange, body).status));
        }
    }

    lost() {
        for (const [id, exchange] of this.#exchanges) {
            this.#ended(id, exchange, Status.SERVICE_GONE);
        }
    }

    #ended(id, exchange, status) {
        this.#exchanges.delete(id);
        exchange.end(status);
    }

    #begin(head) {
        this.#handle += 1n;
        const exchange = new Exchange(this, this.#handle, head);
        this.#exchanges.set(this.#handle, exchange);
        this.#run(exchange);
        setImmediate(() => exchange.tell()); // unless it has been answered by then
    }

    async #run(exchange) {
        try {
            await exchange.respond(await this.#handler(exchange.request));
        } catch (error) {
            await this.#fail(exchange, error);
        }
    }

    /* An error with a status of its own is an answer; any other is a fault, and the client is told that much. */
    async #fail(exchange, error) {
        if (exchange.work.ended !== null) {
            return; // nobody listens, and that may be why
        }
        const isAnswer = Number.isInteger(error?.status) && error.status >= 400 && error.status <= 599;
        if (!isAnswer || exchange.begun) {
            this.#onError(error);
        }
        if (exchange.begun) {
            exchange.cancel();
        } else {
            await exchange.respond(isAnswer ? { status: error.status, body: `${error.message}\n` }
                : { status: 500, body: 'The handler of this request has failed.\n' });
        }
    }
}

/** Becomes an HTTP handler: see index.d.ts. */
export async function provideHttp(door, name, handler, { types, signal, onError = complain } = {}) {
    signal?.throwIfAborted();
    const known = typesOf(types);
    const contract = ownContract(known, 'http.Responder');
    const http = new Http(known, name, handler, onError);
    const hash = contractHash(contract, RESPONDER_NUMBER, contract.methods.map(() => ONEWAY));
    http.service = new Service(door, known, { name, contract: contract.typeName, hash }, {
        hear: (message) => http.hear(message), lost: () => http.lost(), onError,
    });
    return enter(http.service, signal);
}
