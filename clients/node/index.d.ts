/** Calls the services of a running Plexus through its door. README.md begins with an example. */

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
    /** Milliseconds between two questions while following. Default 100. */
    intervalMs?: number;
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
    /** The system as a whole. Errors: as call. */
    system(options?: Options): Promise<SystemIs>;
    /** Every mailbox, in the order of their numbers. Errors: as call. */
    services(options?: Options): Promise<ServiceIs[]>;
    /** Who said how much to whom, as far as the trace ring reaches back. Errors: as call. */
    edges(options?: Options): Promise<EdgeList>;
    /**
     * Messages that were sent, oldest first.
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
