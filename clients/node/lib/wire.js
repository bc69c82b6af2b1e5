/* The bytes: what nng calls pair1 over ipc://, and the messages of those who are attached in it (docs/wire.md). */
import path from 'node:path';

/** What either end says first. */
export const GREETING = Buffer.from([0, 0x53, 0x50, 0, 0, 0x11, 0, 0]);
/** Bytes in front of a message: 1, and its length. */
export const HEAD_LEN = 9;

/** Kinds of messages. */
export const CALL = 1;
export const STREAM = 2;
export const REPLY = 3;
export const ITEM = 4;
export const MORE = 5;
export const ENDED = 6;
export const ONEWAY = 7;
export const LOST = 8;

export const NOTHING = Buffer.alloc(0);

const VERSION = 1;
const HOPS_LEN = 4;
const MESSAGE_LEN = 24;
const MESSAGE_MAX = 64 << 20;
const COPY_MAX = 4096; // a payload up to here goes into the same piece as what is in front of it

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

/**
 * A message, as pieces to be written one behind the other: {kind, id (a bigint), status, number, service, method, text, body,
 * payload}, all but the first two optional.
 */
export function write(message) {
    const { kind, id, status = 0, number = 0, service = '', method = '', text = '', body = NOTHING, payload = NOTHING } = message;
    const [serviceLen, methodLen, textLen] = [Buffer.byteLength(service), Buffer.byteLength(method), Buffer.byteLength(text)];
    const namesLen = serviceLen + methodLen + textLen;
    const copied = payload.length <= COPY_MAX ? payload.length : 0;
    const piece = Buffer.allocUnsafe(HEAD_LEN + HOPS_LEN + MESSAGE_LEN + namesLen + body.length + copied);
    let at = piece.writeUInt8(1, 0);
    at = piece.writeBigUInt64BE(BigInt(HOPS_LEN + MESSAGE_LEN + namesLen + body.length + payload.length), at);
    at = piece.writeUInt32BE(1, at);
    at = piece.writeUInt8(VERSION, at);
    at = piece.writeUInt8(kind, at);
    at = piece.writeUInt16LE(status, at);
    at = piece.writeUInt32LE(number, at);
    at = piece.writeBigUInt64LE(id, at);
    at = piece.writeUInt8(serviceLen, at);
    at = piece.writeUInt8(methodLen, at);
    at = piece.writeUInt16LE(textLen, at);
    at = piece.writeUInt32LE(body.length, at);
    at += piece.write(service + method + text, at);
    piece.set(body, at);
    if (copied === payload.length) {
        piece.set(payload, at + body.length);
        return [piece];
    }
    return [piece, payload];
}

/** Bytes of the message whose head is at `at`. Throws Broken. */
export function messageLen(bytes, at) {
    const length = bytes.readUInt32BE(at + 1) * 2 ** 32 + bytes.readUInt32BE(at + 5);
    if (bytes[at] !== 1 || length < HOPS_LEN + MESSAGE_LEN || length > MESSAGE_MAX) {
        throw new Broken(`a message of ${length} bytes`);
    }
    return length;
}

/** Takes a message apart: as write() takes it. Throws Broken. */
export function read(bytes) {
    const serviceAt = HOPS_LEN + MESSAGE_LEN;
    const methodAt = serviceAt + bytes[HOPS_LEN + 16];
    const textAt = methodAt + bytes[HOPS_LEN + 17];
    const bodyAt = textAt + bytes.readUInt16LE(HOPS_LEN + 18);
    const payloadAt = bodyAt + bytes.readUInt32LE(HOPS_LEN + 20);
    if (bytes[HOPS_LEN] !== VERSION || payloadAt > bytes.length) {
        throw new Broken('a message that is not whole');
    }
    return {
        kind: bytes[HOPS_LEN + 1],
        status: bytes.readUInt16LE(HOPS_LEN + 2),
        number: bytes.readUInt32LE(HOPS_LEN + 4),
        id: bytes.readBigUInt64LE(HOPS_LEN + 8),
        service: bytes.toString('utf8', serviceAt, methodAt),
        method: bytes.toString('utf8', methodAt, textAt),
        text: bytes.toString('utf8', textAt, bodyAt),
        body: bytes.subarray(bodyAt, payloadAt),
        payload: bytes.subarray(payloadAt),
    };
}
