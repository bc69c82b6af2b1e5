/* The package plexus as it is installed: every public method, and every error. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'node:test';

import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import * as plexus from 'plexus';

import { KTEST, connect, failure, far, folder, running, start } from './common.js';

test('a call is answered', async (t) => {
    const { client } = await running(t);
    assert.equal((await client.call('toy', 'Ask', { value: 41 })).message.value, 42n);
});

test('types that the system tells and those of a descriptor set are the same', async (t) => {
    const { client, at } = await running(t);
    const told = await client.call('toy', 'Plant', { name: 'oak', rings: [1, 2, 3], leaves: [{}, {}], top: { size: 5 } },
        { payload: 'acorn' });
    const types = new plexus.Types([process.env.PLEXUS_TYPES, KTEST]);
    const tree = create(types.message('ktest.Tree'), {
        name: Buffer.from('oak'), rings: [1, 2, 3], leaves: [{}, {}], top: { size: 5 },
    });
    const known = await (await connect(t, at, { types })).call('toy', 'ktest.Toy.Plant', tree,
        { payload: Buffer.from('acorn') });
    for (const reply of [told, known]) {
        assert.deepEqual(reply.toObject(), { name: 'oak', leaves: [], top: { size: 7 }, rings: [1, 2, 3], birds: [] });
        assert.equal(Buffer.from(reply.payload).toString(), 'acorn');
        assert.equal(reply.message.top.size, 7);
        assert.ok(reply instanceof plexus.Reply);
    }
    assert.equal(known.message.$typeName, 'ktest.Tree');
});

test('no fields are all zero, bytes stay bytes, and numbers that are too long for one are a bigint', async (t) => {
    const { client } = await running(t);
    const name = Uint8Array.of(255, 0);
    const reply = await client.call('toy', 'Plant', { name });
    assert.deepEqual(Uint8Array.from(reply.message.name), name);
    assert.deepEqual(Uint8Array.from(reply.toObject().name), name);
    assert.equal((await client.call('toy', 'Plant', { name: undefined })).message.name.length, 0);
    assert.equal((await client.call('toy', 'Plant')).toObject().top, undefined);
    for (const [value, sum] of [[2 ** 53 - 2, 2 ** 53 - 1], [2n ** 53n - 1n, 2n ** 53n], [2n ** 64n - 2n, 2n ** 64n - 1n]]) {
        assert.equal((await client.call('toy', 'Ask', { value })).toObject().value, sum);
    }
});

test('a field may be named as in the contract or in camelCase', async (t) => {
    const { client } = await running(t);
    for (const fields of [{ listener: 0 }, {}]) {
        assert.equal((await client.call('net', 'Stats', fields)).toObject().open, 0);
    }
    const { position } = (await client.call('inspect', 'Trace', { max: 1 })).toObject();
    assert.equal(position, 1);
    assert.match((await failure(client.call('inspect', 'Trace', { posi_tion: 1 }))).message, /no field 'posi_tion'/);
});

test('large payload goes both ways', async (t) => {
    const { client } = await running(t);
    const payload = randomBytes(900000);
    assert.ok(payload.equals((await client.call('toy', 'Plant', {}, { payload })).payload));
});

test('errors name service, method, status and remedy', async (t) => {
    const { client } = await running(t);
    for (const [service, method, status, words] of [
        ['toy', 'Retry', plexus.Status.LIMIT, 'configured limit'],
        ['toy', 'Aks', plexus.Status.NOT_FOUND, 'it has: Ask, Note'],
        ['tyo', 'Ask', plexus.Status.NOT_FOUND, 'no service of that name'],
        ['toy', 'Watch', plexus.Status.UNSUPPORTED, 'a stream'],
        ['toy', 'Note', plexus.Status.UNSUPPORTED, 'never answered'],
        ['net', 'Listen', plexus.Status.DENIED, 'may only look'],
    ]) {
        const error = await failure(client.call(service, method));
        assert.ok(error instanceof plexus.CallError && error instanceof plexus.PlexusError);
        assert.deepEqual([error.service, error.method, error.status, error.name], [service, method, status, 'CallError']);
        assert.ok(error.text.includes(words), error.text);
        assert.ok(error.remedy.length > 0);
        for (const part of [`${service}.${method}`, status, error.text, error.remedy]) {
            assert.ok(error.message.includes(part), `${error.message}: ${part}`);
        }
    }
});

test('fields that do not fit are told by name', async (t) => {
    const { client } = await running(t);
    for (const fields of [{ valeu: 1 }, { value: 'x' }, { value: -1 }, { value: 2n ** 64n }, { value: 1.5 }]) {
        const error = await failure(client.call('toy', 'Ask', fields));
        assert.ok(error instanceof plexus.TypesError, error);
        assert.deepEqual([error.service, error.method, error.status], ['toy', 'Ask', null]);
        assert.match(error.message, /its fields are: value/);
    }
    const other = create(new plexus.Types().message('net.ListenerRef'));
    assert.match((await failure(client.call('toy', 'Ask', other))).message, /takes .*Number, not net.ListenerRef/);
});

test('a timeout is kept and the client goes on', async (t) => {
    const { client, at } = await running(t, { timeoutMs: 20000 });
    assert.equal((await failure(client.call('toy', 'Ask', { value: 0 }, { timeoutMs: 50 }))).status, 'TIMED_OUT');
    assert.equal((await client.call('toy', 'Ask', { value: 1 })).message.value, 2n);
    for (const timeoutMs of [0, -1, 3600001, NaN]) {
        assert.ok(await failure(client.call('toy', 'Ask', {}, { timeoutMs })) instanceof RangeError);
        assert.ok(await failure(plexus.connect(at, { timeoutMs })) instanceof RangeError);
    }
    const hasty = await connect(t, at, { timeoutMs: 50 });
    assert.equal((await failure(hasty.call('toy', 'Ask', { value: 0 }))).status, 'TIMED_OUT');
});

test('a request that is too long is an error and the next call connects anew', async (t) => {
    const { client } = await running(t);
    assert.ok(await failure(client.call('toy', 'Plant', {}, { payload: Buffer.alloc(1 << 20) })) instanceof plexus.PlexusError);
    assert.equal((await client.call('toy', 'Ask', { value: 1 })).message.value, 2n);
});

test('calls run side by side', async (t) => {
    const { client } = await running(t);
    const slow = client.call('toy', 'Ask', { value: 0 }, { timeoutMs: 300 });
    const replies = await Promise.all(Array.from({ length: 20 }, (_, i) => client.call('toy', 'Ask', { value: i + 1 })));
    assert.deepEqual(replies.map((reply) => reply.message.value), Array.from({ length: 20 }, (_, i) => BigInt(i + 2)));
    assert.equal((await failure(slow)).status, 'TIMED_OUT');
});

test('more calls than the door takes are busy', async (t) => {
    const { client } = await running(t);
    await client.call('toy', 'Ask', { value: 1 });
    const ends = await Promise.all(Array.from({ length: 33 }, () =>
        failure(client.call('toy', 'Ask', { value: 0 }, { timeoutMs: 1000 }))));
    assert.deepEqual(ends.map((error) => error.status).sort(), ['BUSY', ...Array(32).fill('TIMED_OUT')]);
});

test('a call that was taken back rejects with the reason and disturbs nobody', async (t) => {
    const { client, at } = await running(t);
    for (const warm of [false, true]) {
        const abort = new AbortController();
        const call = client.call('toy', 'Ask', { value: 0 }, { signal: abort.signal });
        setTimeout(() => abort.abort(new Error('enough')), warm ? 50 : 0);
        assert.equal((await failure(call)).message, 'enough');
        assert.equal((await client.call('toy', 'Ask', { value: 1 })).message.value, 2n);
    }
    const late = AbortSignal.abort();
    assert.equal((await failure(client.call('toy', 'Ask', {}, { signal: late }))).name, 'AbortError');
    assert.equal((await failure(client.system({ signal: late }))).name, 'AbortError');
    assert.equal((await failure(plexus.connect(at, { signal: late }))).name, 'AbortError');
});

test('system says what runs', async (t) => {
    const { client, server } = await running(t);
    const system = await client.system();
    assert.deepEqual([system.version, system.pid], ['0.1.0', server.pid]);
    assert.ok(system.deliveries > 0);
});

test('services are told with contracts and counters', async (t) => {
    const { client } = await running(t);
    await client.call('toy', 'Ask', { value: 1 });
    const services = new Map((await client.services()).map((service) => [service.name, service]));
    for (const name of ['net', 'file', 'app', 'toy', 'inspect', 'door', 'guest']) {
        assert.ok(services.has(name), name);
    }
    assert.deepEqual(services.get('toy').contracts.map((contract) => contract.name), ['ktest.Toy']);
    assert.equal(services.get('toy').alive, true);
    const counters = Object.fromEntries(services.get('door').counters.map(({ name, value }) => [name, value]));
    assert.ok(counters.accepted >= 1 && counters.calls >= 2);
});

test('edges count messages and answers', async (t) => {
    const { client } = await running(t);
    for (let i = 0; i < 10; i++) {
        await client.call('toy', 'Ask', { value: 1 });
    }
    const { edges, windowUs } = await client.edges();
    const edge = edges.find(({ sender, receiver }) => sender === 'guest' && receiver === 'toy');
    assert.deepEqual([edge.messages, edge.answered], [10, 10]);
    assert.ok(edge.answerP50Us < 1000000 && windowUs > 0);
});

test('trace shows a call and its answer', async (t) => {
    const { client } = await running(t);
    await client.call('toy', 'Ask', { value: 1 }, { payload: '12345' });
    const mine = [];
    for await (const record of client.trace('toy', { follow: false })) {
        if (record.method === 'ktest.Toy.Ask') {
            mine.push([record.sender, record.receiver, record.kind, record.bytes]);
        }
    }
    assert.deepEqual(mine, [['guest', 'toy', 'call', 5], ['toy', 'guest', 'reply', 0]]);
    assert.equal((await failure(client.trace('tyo', { follow: false }).next())).status, 'NOT_FOUND');
});

test('trace follows until it is told to end', async (t) => {
    const { client, at } = await running(t);
    const abort = new AbortController();
    const other = await connect(t, at);
    const seen = [];
    await client.call('toy', 'Ask', { value: 1 });
    const error = await failure((async () => {
        for await (const record of client.trace('toy', { signal: abort.signal })) {
            if (record.method === 'ktest.Toy.Ask' && record.kind === 'call') {
                seen.push(record.atUs);
                await (seen.length < 3 ? other.call('toy', 'Ask', { value: 2 }) : abort.abort());
            }
        }
    })());
    assert.equal(error.name, 'AbortError');
    assert.equal(seen.length, 3);
    assert.ok(seen[0] < seen[1] && seen[1] < seen[2]);
    for await (const record of client.trace()) {
        assert.ok(record.atUs >= 0);
        break;
    }
});

test('close ends calls under way and the next call connects anew', async (t) => {
    const { client, at } = await running(t);
    assert.equal(client.name, at);
    const call = failure(client.call('toy', 'Ask', { value: 0 }));
    await delay(50);
    client.close();
    client.close();
    const error = await call;
    assert.ok(error instanceof plexus.ConnectError);
    assert.match(error.message, /toy\.\S*Ask: .*closed here/);
    const reopened = client.call('toy', 'Ask', { value: 1 });
    client.close();
    assert.ok(await failure(reopened) instanceof plexus.ConnectError);
    assert.equal((await client.call('toy', 'Ask', { value: 1 })).message.value, 2n);
});

test('a system that was started anew is found again', async (t) => {
    const made = await running(t);
    const { client, at } = made;
    await client.call('toy', 'Ask', { value: 1 });
    await made.server.kill();
    assert.ok(await failure(client.call('toy', 'Ask', { value: 1 })) instanceof plexus.ConnectError);
    made.server = await start(at);
    assert.equal((await client.call('toy', 'Ask', { value: 1 })).message.value, 2n);
});

test('a call that may be repeated survives a restart', async (t) => {
    const made = await running(t);
    await made.client.system();
    await made.server.kill();
    made.server = await start(made.at);
    assert.equal((await made.client.system()).pid, made.server.pid);
});

test('a process that dies during a call is told', async (t) => {
    const made = await running(t);
    const error = await failure(made.client.call('toy', 'Retry', { value: 1 }));
    assert.ok(error instanceof plexus.ConnectError);
    assert.deepEqual([error.service, error.method, error.status], ['toy', 'Retry', null]);
});

async function refused(name, ...words) {
    const error = await failure(plexus.connect(name));
    assert.ok(error instanceof plexus.ConnectError, error);
    for (const word of words) {
        assert.ok(error.message.includes(word), error.message);
    }
}

test('no door says how to start one', () =>
    refused('no-such-door', 'plexus serve --name no-such-door', '/run/plexus/no-such-door'));

test('a socket left over is told', async (t) => {
    const made = await running(t);
    await made.server.kill();
    made.client.close();
    await refused(made.at, 'see whether its process runs');
    made.server = await start(made.at);
});

test('what is not a door is told', async (t) => refused(await far(t, 'HTTP/1.1'), 'not a door'));

test('answers that no door writes are an error, not a hang', async (t) => {
    const back = Buffer.from('\0SP\0\0\x11\0\0', 'latin1');
    const long = Buffer.alloc(9, 1);
    const whole = Buffer.concat([Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, 28]), Buffer.alloc(28)]);
    const other = Buffer.concat([Buffer.from([2]), Buffer.alloc(8)]);
    const short = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3]);
    for (const answer of [other, long, short, whole]) {
        const client = await connect(t, await far(t, back, answer));
        assert.ok(await failure(client.system()) instanceof plexus.ConnectError);
    }
});

test('an answer that comes in pieces is put together', async (t) => {
    const { client } = await running(t);
    const payloads = [1, 65535, 65536, 200000].map((length) => randomBytes(length));
    const replies = await Promise.all(payloads.map((payload) => client.call('toy', 'Plant', {}, { payload })));
    replies.forEach((reply, i) => assert.ok(payloads[i].equals(reply.payload)));
});

test('types that are not there or not types are told', async (t) => {
    for (const paths of [['/nonexistent'], [new URL(import.meta.url).pathname], []]) {
        assert.throws(() => new plexus.Types(paths), plexus.TypesError);
    }
    const lone = path.join(folder(t), 'lone.desc');
    const set = fromBinary(FileDescriptorSetSchema, fs.readFileSync(KTEST));
    set.file[0].dependency = ['none.proto'];
    fs.writeFileSync(lone, toBinary(FileDescriptorSetSchema, set));
    assert.throws(() => new plexus.Types([lone]), plexus.TypesError);
    assert.ok(await failure(plexus.connect('x', { types: [KTEST] })) instanceof plexus.TypesError);
    assert.equal(new plexus.Types().message('none.None'), undefined);
    assert.equal(new plexus.Types().service('net.Net').typeName, 'net.Net');
});

test('other types than those of the running system are refused', async (t) => {
    const { at } = await running(t);
    const set = fromBinary(FileDescriptorSetSchema, fs.readFileSync(KTEST));
    set.file[0].messageType[1].field[0].name = 'valeu';
    const other = path.join(folder(t), 'other.desc');
    fs.writeFileSync(other, toBinary(FileDescriptorSetSchema, set));
    const client = await connect(t, at, { types: [process.env.PLEXUS_TYPES, other] });
    const error = await failure(client.call('toy', 'Ask'));
    assert.ok(error instanceof plexus.TypesError);
    assert.match(error.message, /ktest\.Toy/);
});

test('statuses are those of the system', () => {
    const header = fs.readFileSync(path.join(process.env.PLEXUS_SOURCE, 'kernel', 'include', 'px', 'err.h'), 'utf8');
    const names = [...header.matchAll(/X\((\w+), (\d+), /g)];
    assert.deepEqual(names.map(([, name]) => name), Object.values(plexus.Status));
    names.forEach(([, , number], i) => assert.equal(Number(number), i));
});

const declared = fs.readFileSync(path.join('node_modules', 'plexus', 'index.d.ts'), 'utf8');

test('everything public is declared and documented', () => {
    const found = [...declared.matchAll(/^export (?:declare )?(class|const|function|interface|type) (\w+)/gm)];
    const values = found.filter(([, kind]) => ['class', 'const', 'function'].includes(kind)).map(([, , name]) => name);
    assert.deepEqual(values.sort(), Object.keys(plexus).sort());
    for (const [line] of found) {
        assert.ok(declared.includes(`*/\n${line}`), `${line} is not documented`);
    }
});

/* What index.d.ts says of an interface or class: the names of its members. */
function members(name) {
    const [, text] = declared.match(new RegExp(`(?:interface|class) ${name}\\b[^{]*\\{\\n(.*?)\\n\\}`, 's'));
    return [...text.matchAll(/^    (?:static |readonly )*(\w+)\??[(:]/gm)].map(([, member]) => member)
        .filter((member) => member !== 'constructor').sort();
}

test('clients have what is declared and nothing else', async (t) => {
    const { client } = await running(t);
    const found = [...Object.getOwnPropertyNames(Object.getPrototypeOf(client)), ...Object.keys(client)];
    assert.deepEqual(found.filter((name) => !['constructor', 'open'].includes(name)).sort(), members('Client'));
    assert.deepEqual([...Object.keys(await client.system())].sort(), members('SystemIs'));
    assert.deepEqual(Object.keys((await client.services())[0]).sort(), members('ServiceIs'));
    assert.deepEqual(Object.keys(await client.edges()).sort(), members('EdgeList'));
    assert.deepEqual(Object.keys((await client.edges()).edges[0]).sort(), members('EdgeIs'));
    const { value } = await client.trace('', { follow: false }).next();
    assert.deepEqual(Object.keys(value).sort(), members('TraceIs'));
});
