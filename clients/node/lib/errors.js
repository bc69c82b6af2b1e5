/* What can go wrong, and what to do about it. */

/** How a call ends, in the order of the numbers on the wire. */
const NAMES = [
    'OK', 'BAD_REQUEST', 'BUSY', 'TIMED_OUT', 'CANCELLED', 'NO_MEMORY', 'SERVICE_GONE', 'DENIED', 'NOT_FOUND', 'STALE',
    'UNSUPPORTED', 'IN_USE', 'REFUSED', 'UNREACHABLE', 'RESET', 'TRUNCATED', 'TOO_LARGE', 'LIMIT', 'PROTOCOL', 'INTERNAL',
];

/** The statuses: `Status.BUSY` is 'BUSY', and so is the `status` of an error. */
export const Status = Object.freeze(Object.fromEntries(NAMES.map((name) => [name, name])));

/** The name of a number on the wire; one that this package does not know is INTERNAL. */
export function statusOf(number) {
    return NAMES[number] ?? Status.INTERNAL;
}

/** The number of a name; -1: there is no such status. */
export function numberOf(status) {
    return NAMES.indexOf(status);
}

const REMEDIES = {
    BAD_REQUEST: 'look at the ranges of the fields in the contract (share/plexus/proto)',
    BUSY: 'try again later, or make fewer calls at once',
    TIMED_OUT: 'give a longer timeoutMs, or look at what the service waits for (plexus ps)',
    CANCELLED: 'make the call again',
    NO_MEMORY: 'try again later; plexus ps shows who holds what',
    SERVICE_GONE: 'make the call again: a service that ended is started again',
    DENIED: 'allow it in the configuration of the door (door.clients)',
    NOT_FOUND: 'look for the right name: plexus ps',
    STALE: 'ask for a new handle: what this one named has ended',
    UNSUPPORTED: 'this build or service does not offer it',
    IN_USE: 'choose another name or address, or end whoever has it',
    REFUSED: 'see whether the peer is there and listens',
    UNREACHABLE: 'see whether there is a way to the peer',
    RESET: 'make the call again',
    TRUNCATED: 'make the call again',
    TOO_LARGE: 'send less, or raise the limit (door.request_max)',
    LIMIT: 'raise the limit in the configuration',
    PROTOCOL: 'the peer is at fault; its log may say more',
    INTERNAL: 'look at the log of the service',
};

/**
 * Whatever goes wrong.
 *
 * service, method: what was called, or null.
 * status: a Status, or null if no call was answered.
 * text: what went wrong, one line.
 * remedy: what to do about it, one line.
 */
export class PlexusError extends Error {
    constructor(text, remedy, { service = null, method = null, status = null, cause } = {}) {
        const where = service === null ? '' : `${service}.${method}: `;
        const what = status === null ? '' : `${status}: `;
        super(`${where}${what}${text}; ${remedy}`, cause === undefined ? undefined : { cause });
        this.name = new.target.name;
        this.text = text;
        this.remedy = remedy;
        this.service = service;
        this.method = method;
        this.status = status;
    }
}

/** There is no door of that name, or it lets nobody in, or the connection was lost. */
export class ConnectError extends PlexusError {}

/** A call ended with another status than OK. */
export class CallError extends PlexusError {}

/** A request does not fit its type, or the installed types are not those of the running system. */
export class TypesError extends PlexusError {}

/** The error of a reply. */
export function callError(service, method, status, text) {
    return new CallError(text || status, REMEDIES[status], { service, method, status });
}

/** The error of a connection that ended. `service`, `method`: the call that was under way, or null. */
export function lost(service, method, cause) {
    return new ConnectError(`the connection to the door was lost (${cause.message})`,
        'see whether the process still runs, and call again: it connects anew', { service, method, cause });
}

/** The error of a door that does not open. */
export function notThere(name, tried, cause) {
    if (cause === undefined) {
        return new ConnectError(`no door is named '${name}' (looked at ${tried.join(', ')})`,
            `start one with: plexus serve --name ${name}`);
    }
    if (cause.code === 'EACCES') {
        return new ConnectError(`the door '${name}' is not open to this user`, 'add its uid to door.clients', { cause });
    }
    return new ConnectError(`the door '${name}' does not open: ${cause.message}`,
        'see whether its process runs, has room (door.clients_max), and is open to this user (door.clients)', { cause });
}

/**
 * What a handler of a service throws to answer with a status other than OK.
 *
 * status: a Status. text: one line for people.
 */
export class Refusal extends Error {
    constructor(status, text = '') {
        super(text || status);
        if (numberOf(status) < 1) {
            throw new RangeError(`there is no status '${status}' to refuse with`);
        }
        this.name = 'Refusal';
        this.status = status;
        this.text = text;
    }
}
