/** Calls the services of a running Plexus through its door, and is one. README.md begins with an example. */

/** How a call ended. */
export type Status =
    | 'OK' | 'BAD_REQUEST' | 'BUSY' | 'TIMED_OUT' | 'CANCELLED' | 'NO_MEMORY' | 'SERVICE_GONE' | 'DENIED' | 'NOT_FOUND'
    | 'STALE' | 'UNSUPPORTED' | 'IN_USE' | 'REFUSED' | 'UNREACHABLE' | 'RESET' | 'TRUNCATED' | 'TOO_LARGE' | 'LIMIT'
    | 'PROTOCOL' | 'INTERNAL';

/** The statuses by name: `Status.BUSY` is 'BUSY'. One of a newer Plexus is INTERNAL. */
export const Status: { readonly [Name in Status]: Name };

/** Whatever goes wrong. Its `message` has all of the below in one line. */
export class PlexusError extends Error {
    /** What was called, or null. */
    readonly service: string | null;
    /** What was called, or null. */
    readonly method: string | null;
    /** How the call ended; null: no answer was had. */
    readonly status: Status | null;
    /** What went wrong, one line. */
    readonly text: string;
    /** What to do about it, one line. */
    readonly remedy: string;
}

/** There is no door of that name, or it lets nobody in, or the connection was lost. */
export class ConnectError extends PlexusError {}

/** A call ended with another status than OK. */
export class CallError extends PlexusError {}

/** A request does not fit its type, or the installed types are not those of the running system. */
export class TypesError extends PlexusError {}

/** What a handler of a service throws to answer with a status other than OK; its asker gets a CallError. */
export class Refusal extends Error {
    /**
     * @param status Any but OK.
     * @param text One line for people, up to 160 characters. Default: none.
     * @throws RangeError There is no such status.
     */
    constructor(status: Exclude<Status, 'OK'>, text?: string);
    readonly status: Exclude<Status, 'OK'>;
    readonly text: string;
}

/**
 * A request: names of fields, as in the .proto (`max_len`) or in camelCase (`maxLen`), and their values. A string may stand for
 * bytes (UTF-8), a number for 64 bits. Fields that are not named are zero. Or a message that was made with Types.message().
 */
export type Fields = { readonly [name: string]: unknown };

/** A number of 64 bits: a bigint only if a number cannot say it exactly. */
export type Integer = number | bigint;

/** What a service answered. */
export class Reply {
    /**
     * The message, as @bufbuild/protobuf has it: fields by their names in camelCase; `bytes` are Uint8Array, 64 bits are bigint,
     * messages that were not sent are undefined.
     */
    readonly message: { readonly [field: string]: any };
    /** The bytes beside the message; may be empty. */
    readonly payload: Uint8Array;
    /**
     * The message as an object of plain values, with every field by its name in camelCase: `bytes` that are text (UTF-8) are
     * strings, 64 bits are a number if that can say them exactly, else a bigint.
     */
    toObject(): { [field: string]: any };
    private constructor();
}

/** Message types of contracts. There is no generated code: they come from descriptor sets. */
export class Types {
    /**
     * @param paths Descriptor sets (protoc --descriptor_set_out --include_imports); the first is that of Plexus itself. Without
     * it the installed one is looked for: $PLEXUS_TYPES, share/plexus/plexus.desc of the plexus on PATH, of this Node, /usr/local
     * and /usr.
     * @throws TypesError There is none, or it cannot be read.
     */
    constructor(paths?: readonly string[]);
    /**
     * The types of Plexus itself, as it is installed, and those of more descriptor sets.
     * @throws TypesError As the constructor.
     */
    static installed(...paths: string[]): Types;
    /**
     * The type of a message, for create() of @bufbuild/protobuf; undefined: there is none.
     * @param name Its full name ('net.ListenerRef').
     */
    message(name: string): any;
    /**
     * The descriptor of a contract; undefined: there is none.
     * @param name Its full name ('net.Net').
     */
    service(name: string): any;
}

/** Options that every call takes. */
export interface Options {
    /** Milliseconds until the answer has to be there, 1..3600000; without it that of connect(), or else 30000. */
    timeoutMs?: number;
    /** Takes the call back: it rejects with the reason of the signal, and its answer is forgotten. */
    signal?: AbortSignal;
}

/** Options of a call. */
export interface CallOptions extends Options {
    /** Bytes beside the request; a string is UTF-8. */
    payload?: Uint8Array | string;
}

/** Options of a stream call. */
export interface StreamOptions {
    /** Bytes beside the request; a string is UTF-8. */
    payload?: Uint8Array | string;
    /** Milliseconds until the first item has to be there, 1..3600000; without it any time may pass. */
    timeoutMs?: number;
    /** Items that may be on their way before they are taken, 1..65536. Default 16. */
    credit?: number;
    /** Takes the call back: the iteration rejects with the reason of the signal. */
    signal?: AbortSignal;
}

/** Options of a subscription. */
export interface SubscribeOptions extends StreamOptions {
    /** Milliseconds before the first attempt to begin anew; each further one waits twice as long, up to 2000. Default 50. */
    retryMs?: number;
}

/** The system as a whole (inspect.SystemIs). */
export interface SystemIs {
    /** Version of Plexus ('0.1.0'). */
    version: string;
    /** Process that has the kernel. */
    pid: number;
    /** Microseconds since the kernel started. */
    uptimeUs: number;
    /** Messages delivered since then. */
    deliveries: number;
    /** Sends that were lost since then: no memory, or the queue was full. */
    lost: number;
    /** Sends without capability since then. */
    denied: number;
    /** Answers to calls that had ended, since then. */
    late: number;
    /** Bytes the kernel has allocated now. */
    memory: number;
    /** Messages that wait to be delivered now. */
    queued: number;
    /** Calls that are open now. */
    calls: number;
    /** Position of the next record of the trace ring. */
    tracePosition: number;
    /** Messages the trace ring keeps. */
    traceLength: number;
}

/** One contract of a service (inspect.ContractIs). */
export interface ContractIs {
    /** Full name ('net.Net'). */
    name: string;
    /** Its number, 1..255. */
    number: number;
    /** Changes with anything a peer could trip over. */
    hash: Integer;
}

/** One mailbox (inspect.ServiceIs). */
export interface ServiceIs {
    name: string;
    /** Its number in the kernel, from 1. */
    number: number;
    /** False: it has ended, or lives in a process that is not running. */
    alive: boolean;
    /** It lives in another process. */
    remote: boolean;
    /** Contracts that may be called. */
    contracts: ContractIs[];
    /** Counters, in the service's own order. */
    counters: { name: string; value: Integer }[];
    /** Calls of it that are open now. */
    calls: number;
    /** Messages it keeps now. */
    holds: number;
    /** Slices of payload it keeps now. */
    pieces: number;
    /** Timers that run now. */
    timers: number;
    /** Elements of its pools in use now: connections, requests, whatever it has. */
    elements: number;
    /** Process it runs in; 0: none now. */
    pid: number;
    /** Domain it is placed in; empty: it runs in the process that has the kernel. */
    domain: string;
}

/** What one mailbox said to another (inspect.EdgeIs). */
export interface EdgeIs {
    sender: string;
    receiver: string;
    messages: number;
    /** Bytes of payload. */
    bytes: number;
    /** Of the messages, calls whose answer is in the ring too. */
    answered: number;
    /** Of these, the median time to the answer, in microseconds; what is answered within one turn takes 0. */
    answerP50Us: number;
    /** The longest. */
    answerMaxUs: number;
}

/** All edges (inspect.EdgeList). */
export interface EdgeList {
    /** By messages, most first; at most 256. */
    edges: EdgeIs[];
    /** Microseconds from the first message that was counted to now. */
    windowUs: number;
    /** Messages that were counted. */
    messages: number;
}

/** One message that was sent (inspect.TraceIs). */
export interface TraceIs {
    /** Time of the turn in which it was sent, in microseconds. */
    atUs: number;
    sender: string;
    receiver: string;
    /** Full name of the method ('net.Net.Stats'); empty: it is about none. */
    method: string;
    kind: 'oneway' | 'call' | 'reply' | 'item' | 'ended' | 'more' | 'lost' | 'gone' | 'back';
    /** The call it belongs to, or the receiver's handle of what it is about. */
    about: Integer;
    /** Bytes of payload. */
    bytes: number;
    /** Of a reply: a number of px_status. */
    status: number;
    outcome: 'queued' | 'denied' | 'lost' | 'late' | 'nobody';
}

/** Options of Client.trace(). */
export interface TraceOptions {
    /** Go on when the newest was reached; otherwise end there. Default true. */
    follow?: boolean;
    /** Where to begin; 0, the default, is the oldest there is. */
    position?: number;
    /** Ends it: the iteration rejects with the reason of the signal. */
    signal?: AbortSignal;
}

/**
 * A connection to a running system; connect() makes it. Any number of calls may be under way; the door takes 32 of a client at
 * a time and answers BUSY beyond that. A connection that was lost is made anew by the next call. It keeps the process alive
 * until close().
 */
export interface Client {
    /** As given to connect(). */
    readonly name: string;
    /**
     * Calls a method and waits for its answer.
     *
     * @param service Name of a mailbox ('net'; `plexus ps` lists them).
     * @param method Its name ('Stats'), or with its contract ('net.Net.Stats').
     * @param fields Of the request.
     * @throws CallError The service or the door answered with another status than OK (BUSY, TIMED_OUT, DENIED, NOT_FOUND ...).
     * @throws TypesError The fields do not fit.
     * @throws ConnectError The connection was lost, and the call is not known to be harmless when made twice.
     * @throws RangeError timeoutMs is out of range.
     */
    call(service: string, method: string, fields?: Fields, options?: CallOptions): Promise<Reply>;
    /**
     * Calls a method that answers with a stream, and yields its items as they come; the final reply is what the generator returns.
     * Leaving it (break, return) takes the call back.
     *
     * @param service, method, fields As of call().
     * @throws As call(), at the first item or at a later one.
     */
    stream(service: string, method: string, fields?: Fields, options?: StreamOptions): AsyncGenerator<Reply, Reply, void>;
    /**
     * Subscribes to a topic, which is a method that answers with a stream ('inspect', 'Watch'), and yields its events: when the
     * service or the connection ends, it subscribes anew. What was told in between is lost, unless `fields` say where to go on.
     * It ends when the service says that there is no more.
     *
     * @throws As call(), if it never began; later what another attempt does not mend.
     */
    subscribe(service: string, topic: string, fields?: Fields, options?: SubscribeOptions): AsyncGenerator<Reply, void, void>;
    /** The system as a whole. Errors: as call. */
    system(options?: Options): Promise<SystemIs>;
    /** Every mailbox, in the order of their numbers. Errors: as call. */
    services(options?: Options): Promise<ServiceIs[]>;
    /** Who said how much to whom, as far as the trace ring reaches back. Errors: as call. */
    edges(options?: Options): Promise<EdgeList>;
    /**
     * Messages that were sent, oldest first. While following, those that the ring lost in between are left out.
     *
     * @param service Only what that mailbox sends or gets; empty: everything.
     * @throws CallError NOT_FOUND: no such service; others as call.
     */
    trace(service?: string, options?: TraceOptions): AsyncGenerator<TraceIs, void, void>;
    /** Ends the connection; calls under way reject with ConnectError. Twice is fine, and a later call connects anew. */
    close(): void;
}

/** Options of connect(). */
export interface ConnectOptions {
    /** Types, or paths of descriptor sets as Types takes them. */
    types?: Types | readonly string[];
    /** Milliseconds that calls may take unless they say otherwise, 1..3600000. */
    timeoutMs?: number;
    /** Gives up waiting for the door. */
    signal?: AbortSignal;
}

/**
 * Connects to a running system.
 *
 * @param name Of its door (plexus serve --name NAME), or with a slash in it the path of its folder. Default 'plexus'.
 * @throws ConnectError No such door, or it does not let us in.
 * @throws TypesError No descriptor set.
 * @throws RangeError timeoutMs is out of range.
 */
export function connect(name?: string, options?: ConnectOptions): Promise<Client>;

/** A name that this program is, at a door. A connection that was lost is made anew, however long that takes. */
export interface Service {
    /** As it was offered. */
    readonly name: string;
    /** It is known at the door now; false while the connection is being made anew, and after close(). */
    readonly there: boolean;
    /** Lets go of the name: calls under way end with SERVICE_GONE, requests with 503 or the end of their connection. Twice is fine. */
    close(): void;
}

/** Options of being a service. */
export interface ServiceOptions {
    /** Closes the service when it is aborted. */
    signal?: AbortSignal;
    /** Hears what nobody else does: what handlers threw that is no answer, and that the connection was lost. Default: console.error. */
    onError?: (error: unknown) => void;
}

/** What a method of a service is called with. */
export interface Request extends Reply {
    /** Name of the method ('Hello'). */
    readonly method: string;
    /** Aborted when nobody waits for the answer any more. */
    readonly signal: AbortSignal;
}

/** What a method returns, or a stream yields, if it has bytes beside its message. */
export class Answer {
    /** @param payload A string is UTF-8. Default: none. */
    constructor(fields?: Fields, payload?: Uint8Array | string);
    readonly fields: Fields;
    readonly payload: Uint8Array | string;
}

/** What a method answers: fields of its output; nothing is all of them zero. */
export type Answered = Fields | Answer | void;

/** A method that has one answer. It throws a Refusal to answer with a status; anything else it throws is INTERNAL. */
export type CallMethod = (request: Request) => Answered | Promise<Answered>;

/** A method that answers with a stream. Each value is an item, and is not asked for before the asker can take it. */
export type StreamMethod = (request: Request) => AsyncIterable<Answered>;

/** What a service is. */
export interface Definition {
    /** 1 to 31 letters, digits, dots, underscores and hyphens; no mailbox of the system has it. */
    name: string;
    /** Full name of its contract ('greeter.Greeter'). */
    contract: string;
    /**
     * Its methods by name. A function answers in the shape that the .proto says: `returns (stream X)` is a stream, a method with
     * `idempotency_level` may be called again when nobody knows what became of it. Or the shape is said here.
     */
    methods: {
        readonly [method: string]: CallMethod | StreamMethod | { call: CallMethod; idempotent?: boolean } | { stream: StreamMethod };
    };
    /** Where the contract is: paths of descriptor sets beside the installed one, or Types that have both. */
    types?: Types | readonly string[];
    /** Number of the contract, 128..255, for those who compare: it is part of its hash. Default 128. */
    number?: number;
}

/**
 * Becomes a service, until it is closed.
 *
 * @param door As of connect().
 * @throws CallError The door does not let us be that service: DENIED, IN_USE, LIMIT, BAD_REQUEST.
 * @throws ConnectError No such door, or it does not let us in.
 * @throws TypesError There is no such contract, or a method that it does not have.
 */
export function provide(door: string, definition: Definition, options?: ServiceOptions): Promise<Service>;

/** Header fields: an object with a value or several for each name, pairs, a Map, or Headers. */
export type HeaderFields =
    | { readonly [name: string]: string | number | readonly string[] | undefined }
    | Iterable<readonly [string, string]>;

/** A request of HTTP. Its body is what iterating over it yields: nothing of it comes before it is wanted. */
export interface HttpRequest extends AsyncIterable<Uint8Array> {
    /** As sent ('GET'). */
    readonly method: string;
    /** As sent ('/a%20b?c=d'). */
    readonly target: string;
    /** The path of the target, unescaped ('/a b'). */
    readonly path: string;
    /** The query of the target. */
    readonly query: URLSearchParams;
    /** Fields by name in lower case; what came several times is joined by ', '. */
    readonly headers: { readonly [name: string]: string };
    /** Trailers, once the body has been read. */
    readonly trailers: { readonly [name: string]: string };
    /** 'http' or 'https'. */
    readonly scheme: string;
    /** Host and port, as the client named them. */
    readonly authority: string;
    /** Address of the client ('127.0.0.1:40000', '[::1]:40000'); empty for a unix socket. */
    readonly remote: string;
    /** 1, 1.1 or 2. */
    readonly version: number;
    /** Aborted when the request has ended before its response was complete. */
    readonly signal: AbortSignal;
    /**
     * The whole body.
     * @param max Bytes it may have; a longer one is answered with 413. Default 16777216.
     * @throws RangeError It is longer. CallError: the client went.
     */
    bytes(max?: number): Promise<Uint8Array>;
    /** The whole body as text (UTF-8). As bytes(). */
    text(max?: number): Promise<string>;
    /** The whole body as JSON. As bytes(); SyntaxError: it is not JSON, which is answered with 400. */
    json(max?: number): Promise<any>;
    /**
     * Sends an interim response, such as 103 with links.
     * @throws RangeError The status is not 102..199. TypeError: a header field cannot be sent.
     */
    inform(status: number, headers?: HeaderFields): void;
}

/** A body: as a whole, or in pieces that are asked for as fast as the client takes them. */
export type Body = string | Uint8Array | AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array> | null | undefined;

/** A response; a Response of fetch fits too. */
export interface HttpResponse {
    /** 200..999. Default 200. */
    status?: number;
    /** Not those that the engine writes (Connection, Date ...). Content-Length says the length of a body in pieces. */
    headers?: HeaderFields;
    /** Text is text/plain unless the headers say otherwise. */
    body?: Body;
}

/** What a handler answers: a response, or a body alone, with status 200. */
export type HttpAnswer = HttpResponse | Body;

/**
 * Becomes the HTTP handler of routes that say `service: NAME`, until it is closed. Requests run side by side, 256 at most. What the
 * handler throws is answered with 500; if it has a `status` of 400..599, with that and its message.
 *
 * @param door As of connect().
 * @param name 1 to 31 letters, digits, dots, underscores and hyphens.
 * @throws CallError The door does not let us be that service: DENIED, IN_USE, LIMIT, UNSUPPORTED.
 * @throws ConnectError No such door, or it does not let us in.
 * @throws TypesError No descriptor set.
 */
export function provideHttp(
    door: string,
    name: string,
    handler: (request: HttpRequest) => HttpAnswer | Promise<HttpAnswer>,
    options?: ServiceOptions & { types?: Types | readonly string[] },
): Promise<Service>;
