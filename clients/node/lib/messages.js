/* Types at run time: from the installed descriptor set, or from what a running system tells of itself. */
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { create, createFileRegistry, fromBinary, isMessage, toBinary } from '@bufbuild/protobuf';
import { reflect } from '@bufbuild/protobuf/reflect';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';

import { TypesError } from './errors.js';

/** Shapes of methods (px/contract.h). */
export const ONEWAY = 1;
export const CALL = 2;
export const CALL_IDEMPOTENT = 3;
export const STREAM = 4;

/* protobuf-c numbers types and labels in its own way, and contract hashes are made of those numbers. */
const C_TYPES = { 5: 0, 17: 1, 15: 2, 3: 3, 18: 4, 16: 5, 13: 6, 7: 7, 4: 8, 6: 9, 2: 10, 1: 11, 8: 12, 14: 13, 9: 14,
    12: 15, 11: 16 };
const C_REPEATED = 2;
const C_NONE = 3;
const DEPTH_MAX = 8;
const TYPE_ENUM = 14;
const TYPE_INT32 = 5;
const TYPE_BYTES = 12;
const LABEL_OPTIONAL = 1;
const LABEL_REPEATED = 3;
const SET = path.join('share', 'plexus', 'plexus.desc');

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Where the installed descriptor set may be. */
function installed() {
    const found = [process.env.PLEXUS_TYPES ?? ''];
    for (const folder of (process.env.PATH ?? '').split(':')) {
        const program = path.join(folder, 'plexus');
        if (folder !== '' && fs.existsSync(program)) {
            found.push(path.join(path.dirname(path.dirname(fs.realpathSync(program))), SET));
            break;
        }
    }
    found.push(...[path.dirname(path.dirname(process.execPath)), '/usr/local', '/usr'].map((base) => path.join(base, SET)));
    for (let here = path.dirname(fileURLToPath(import.meta.url)); here !== path.dirname(here); here = path.dirname(here)) {
        found.push(path.join(here, SET));
    }
    return found.filter((file) => file !== '');
}

/** FNV-1a with 64 bits, over what px_contract_hash is made of. */
class Hash {
    value = 0xcbf29ce484222325n;

    add(bytes) {
        for (const byte of bytes) {
            this.value = BigInt.asUintN(64, (this.value ^ BigInt(byte)) * 0x100000001b3n);
        }
    }

    text(text) {
        this.add(Buffer.from(`${text}\0`));
    }

    number(number) {
        const bytes = Buffer.alloc(4);
        bytes.writeUInt32LE(number);
        this.add(bytes);
    }

    message(type, depth = 0) {
        this.text(type.typeName);
        for (const field of [...type.fields].sort((a, b) => a.number - b.number)) {
            this.number(field.number);
            this.text(field.name);
            this.number(field.fieldKind === 'list' ? C_REPEATED : C_NONE);
            this.number(C_TYPES[field.proto.type]);
            if (field.message && depth < DEPTH_MAX) {
                this.message(field.message, depth + 1);
            }
        }
    }
}

/** The number that changes with anything a peer could trip over; as in px/contract.h. */
export function contractHash(contract, number, shapes) {
    const total = new Hash();
    total.text(contract.typeName);
    total.number(number);
    shapes.forEach((shape, i) => {
        const method = contract.methods[i];
        total.text(method.name);
        total.number(shape);
        total.message(method.input);
        total.message(method.output);
    });
    return total.value;
}

function readSet(file) {
    try {
        const set = fromBinary(FileDescriptorSetSchema, fs.readFileSync(file));
        if (set.file.length > 0) {
            return set.file;
        }
    } catch (cause) {
        throw new TypesError(`${file}: ${cause.message}`, 'give the path of a descriptor set of protoc', { cause });
    }
    throw new TypesError(`${file} has no types in it`, 'give the path of a descriptor set of protoc');
}

/** Message types of contracts. */
export class Types {
    #registry;

    /**
     * paths: descriptor sets (protoc --descriptor_set_out); the first is that of Plexus itself. Without it the installed
     * one is looked for: $PLEXUS_TYPES, share/plexus/plexus.desc of the plexus on PATH, of this Node, /usr/local and /usr.
     *
     * Throws TypesError: there is none, or it cannot be read.
     */
    constructor(paths = undefined) {
        const found = paths ?? installed().filter((file) => fs.existsSync(file)).slice(0, 1);
        if (found.length === 0) {
            throw new TypesError('no descriptor set is installed', 'install Plexus, or set PLEXUS_TYPES to its plexus.desc');
        }
        const files = new Map();
        for (const file of found.flatMap(readSet)) {
            if (!files.has(file.name)) {
                files.set(file.name, file);
            }
        }
        try {
            this.#registry = createFileRegistry(create(FileDescriptorSetSchema, { file: [...files.values()] }));
        } catch (cause) {
            throw new TypesError(`${found.join(', ')}: ${cause.message}`, 'put imported files into the descriptor set',
                { cause });
        }
    }

    /** The types of Plexus itself, as it is installed, and those of more descriptor sets. Throws TypesError: as the constructor. */
    static installed(...more) {
        return new Types([...installed().filter((file) => fs.existsSync(file)).slice(0, 1), ...more]);
    }

    /** The type of a message, by its full name ('net.ListenerRef'), for create() of @bufbuild/protobuf; or undefined. */
    message(name) {
        return this.#registry.getMessage(name);
    }

    /** The descriptor of a contract, by its full name ('net.Net'), or undefined. */
    service(name) {
        return this.#registry.getService(name);
    }
}

/** The contract `name`, which Plexus itself has. Throws TypesError: these are not its types. */
export function ownContract(types, name) {
    const found = types.service(name);
    if (found === undefined) {
        throw new TypesError(`the descriptor sets do not have contract ${name}`, "put Plexus's own plexus.desc first");
    }
    return found;
}

/**
 * The methods of a service of a running system, by name, and by full name: Map of {name, contract, shape, input, output}.
 *
 * described: what inspect.Describe said of it. Throws TypesError: the installed types are not those of the running system.
 */
export function methodsOf(types, service, described) {
    const told = new Map();
    for (const method of described.methods) {
        const contract = textOf(method.contract);
        told.set(contract, [...(told.get(contract) ?? []), method]);
    }
    const found = new Map();
    for (const [contract, methods] of told) {
        const known = types.service(contract);
        const made = known === undefined ? toldMethods(described, contract, methods)
            : knownMethods(service, known, described.contracts.find((c) => textOf(c.name) === contract), methods);
        for (const method of made) {
            found.set(method.name, found.get(method.name) ?? method);
            found.set(`${contract}.${method.name}`, method);
        }
    }
    return found;
}

function knownMethods(service, known, contract, methods) {
    const shapes = methods.map((method) => method.shape);
    if (known.methods.length < shapes.length || contractHash(known, contract.number, shapes) !== contract.hash) {
        throw new TypesError(
            `the running system has another form of contract ${known.typeName} than the installed descriptor set`,
            'install types and system of one version', { service, method: '' });
    }
    return methods.map(({ shape }, i) => {
        const { name, input, output } = known.methods[i];
        return { name, contract: known.typeName, shape, input, output };
    });
}

function toldMethods(described, contract, methods) {
    const types = toldTypes(described);
    return methods.map(({ name, shape, input, output }) =>
        ({ name: textOf(name), contract, shape, input: types[input - 1], output: types[output - 1] }));
}

/** Types for what a running system says of its messages. */
function toldTypes(described) {
    const local = described.messages.map((message) => textOf(message.name).replaceAll('.', '_'));
    const messageType = described.messages.map((message, i) => ({
        name: local[i],
        field: message.fields.map((field) => ({
            name: textOf(field.name),
            number: field.number,
            type: field.type === TYPE_ENUM ? TYPE_INT32 : field.type,
            label: field.many ? LABEL_REPEATED : LABEL_OPTIONAL,
            typeName: field.message === 0 ? '' : `.told.${local[field.message - 1]}`,
        })),
    }));
    const file = create(FileDescriptorProtoSchema, { name: 'told.proto', package: 'told', syntax: 'proto3', messageType });
    const registry = createFileRegistry(file, () => undefined);
    return local.map((name) => registry.getMessage(`told.${name}`));
}

/** What a service says of itself: the fields of an inspect.Description. */
export function describe(contract, number, shapes) {
    const types = [];
    const place = (type) => {
        if (!types.includes(type)) {
            types.push(type);
            type.fields.forEach((field) => field.message && place(field.message));
        }
        return types.indexOf(type) + 1;
    };
    const methods = contract.methods.map(({ name, input, output }, i) =>
        ({ name, shape: shapes[i], input: place(input), output: place(output), contract: contract.typeName }));
    const messages = types.map((type) => ({
        name: type.typeName,
        fields: type.fields.map((field) => ({
            name: field.name,
            number: field.number,
            type: field.proto.type,
            many: field.fieldKind === 'list',
            message: field.message ? place(field.message) : 0,
        })),
    }));
    return { methods, messages, contracts: [{ name: contract.typeName, number, hash: contractHash(contract, number, shapes) }] };
}

/** Bytes as text, whatever is in them. */
export function textOf(bytes) {
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
}

/**
 * A packed message. fields: a message of that type, or an object with names of fields (as in the .proto, or in camelCase) and
 * values; in it a string may stand for bytes, a number for 64 bits. `where`: {service, method} for the error.
 *
 * Throws TypesError naming what does not fit.
 */
export function pack(type, fields, where) {
    if (isMessage(fields)) {
        if (fields.$typeName !== type.typeName) {
            throw new TypesError(`takes ${type.typeName}, not ${fields.$typeName}`, 'make one with Types.message()', where);
        }
        return toBinary(type, fields);
    }
    try {
        return toBinary(type, fill(type, fields ?? {}).message);
    } catch (cause) {
        const names = type.fields.map((field) => field.name).join(', ');
        throw new TypesError(cause.message, `its fields are: ${names || 'none'}`, { ...where, cause });
    }
}

function fill(type, fields) {
    const made = reflect(type);
    for (const [name, value] of Object.entries(fields)) {
        const field = type.fields.find((one) => one.name === name || one.localName === name);
        if (field === undefined) {
            throw new RangeError(`there is no field '${name}'`);
        }
        if (value === undefined) {
            continue;
        }
        if (field.fieldKind === 'list') {
            const list = made.get(field);
            for (const one of value) {
                list.add(valueOf(field, one));
            }
        } else {
            made.set(field, valueOf(field, value));
        }
    }
    return made;
}

function valueOf(field, value) {
    if (field.message) {
        return fill(field.message, value);
    }
    return field.proto.type === TYPE_BYTES && typeof value === 'string' ? Buffer.from(value) : value;
}

/** Takes a packed message apart. Throws an Error: it is none of that type. */
export function unpack(type, bytes) {
    return fromBinary(type, bytes, { readUnknownFields: false });
}

/**
 * A message as an object of plain values, with every field by its name in camelCase: bytes that are text are strings, 64 bits
 * a number if one can say it exactly.
 */
export function plain(type, message) {
    const found = {};
    for (const field of type.fields) {
        const value = message[field.localName];
        if (field.fieldKind === 'list') {
            found[field.localName] = value.map((one) => plainValue(field, one));
        } else if (value !== undefined) {
            found[field.localName] = plainValue(field, value);
        }
    }
    return found;
}

function plainValue(field, value) {
    if (field.message) {
        return plain(field.message, value);
    }
    if (typeof value === 'bigint') {
        return Number.isSafeInteger(Number(value)) ? Number(value) : value;
    }
    if (value instanceof Uint8Array) {
        try {
            return utf8.decode(value);
        } catch {
            return value;
        }
    }
    return value;
}

/** What a service answered: its message and the bytes beside it. */
export class Reply {
    #type;

    constructor(type, message, payload) {
        this.#type = type;
        this.message = message;
        this.payload = payload;
    }

    /**
     * The message as an object of plain values, with every field by its name in camelCase: bytes that are text are strings, 64
     * bits a number if one can say it exactly, else a bigint.
     */
    toObject() {
        return plain(this.#type, this.message);
    }
}
