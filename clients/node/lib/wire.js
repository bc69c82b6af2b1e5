/* The bytes: what nng calls req/rep over ipc://, and the door's requests and replies in it (docs/wire.md). */
import path from 'node:path';

export const GREETING = Buffer.from([0, 0x53, 0x50, 0, 0, 0x30, 0, 0]);
export const GREETING_BACK = Buffer.from([0, 0x53, 0x50, 0, 0, 0x31, 0, 0]);
/** Bytes in front of a message: 1, and its length. */
export const HEAD_LEN = 9;

const VERSION = 1;
const CALL = 1;
const TOP_BIT = 0x80000000;
const NUMBER_LEN = 4;
const REQUEST_LEN = 12;
const REPLY_LEN = 12;
const REPLY_MAX = 64 << 20;
const NAME_MAX = 255;

/** Bytes that no door writes. */
export class Broken extends Error {}

/** Paths at which the socket of a door may be, the likeliest first. */
export function places(name) {
    if (name.includes('/')) {
        return [path.join(name, 'door')];
    }
    const { RUNTIME_DIRECTORY = '', XDG_RUNTIME_DIR = '' } = process.env;
    const bases = [RUNTIME_DIRECTORY.split(':')[0], XDG_RUNTIME_DIR && path.join(XDG_RUNTIME_DIR, 'plexus'),
        `/tmp/plexus-${process.geteuid()}`, '/run/plexus'];
    return bases.filter((base) => base !== '').map((base) => path.join(base, name, 'door'));
}

function nameOf(text) {
    return Buffer.from(text).subarray(0, NAME_MAX);
}

/**
 * One request, as pieces to be written one behind the other.
 *
 * number: 0..2^31-1, comes back in the reply. ask: {service, fullName (of the method), body, payload, deadlineMs}.
 */
export function request(number, { service, fullName, body, payload, deadlineMs }) {
    const names = Buffer.concat([nameOf(service), nameOf(fullName)]);
    const serviceLen = nameOf(service).length;
    const head = Buffer.alloc(HEAD_LEN + NUMBER_LEN + REQUEST_LEN);
    const length = NUMBER_LEN + REQUEST_LEN + names.length + body.length + payload.length;
    let at = head.writeUInt8(1, 0);
    at = head.writeBigUInt64BE(BigInt(length), at);
    at = head.writeUInt32BE(number + TOP_BIT, at);
    at = head.writeUInt8(VERSION, at);
    at = head.writeUInt8(CALL, at);
    at = head.writeUInt8(serviceLen, at);
    at = head.writeUInt8(names.length - serviceLen, at);
    at = head.writeUInt32LE(deadlineMs, at);
    head.writeUInt32LE(body.length, at);
    return [head, names, body, payload];
}

/** Bytes of the message whose head is at `at`. Throws Broken. */
export function messageLen(bytes, at) {
    const length = bytes.readBigUInt64BE(at + 1);
    if (bytes[at] !== 1 || length < NUMBER_LEN + REPLY_LEN || length > REPLY_MAX) {
        throw new Broken(`a message of ${length} bytes`);
    }
    return Number(length);
}

/** Takes a message apart: {number, status (a number), text, body, payload}. Throws Broken. */
export function reply(message) {
    const start = NUMBER_LEN + REPLY_LEN;
    const textLen = message.readUInt32LE(NUMBER_LEN + 4);
    const bodyLen = message.readUInt32LE(NUMBER_LEN + 8);
    const bodyAt = start + textLen;
    if (message[NUMBER_LEN] !== VERSION || bodyAt + bodyLen > message.length) {
        throw new Broken('a reply that is not whole');
    }
    return {
        number: message.readUInt32BE(0) - TOP_BIT,
        status: message.readUInt16LE(NUMBER_LEN + 2),
        text: message.toString('utf8', start, bodyAt),
        body: message.subarray(bodyAt, bodyAt + bodyLen),
        payload: message.subarray(bodyAt + bodyLen),
    };
}
