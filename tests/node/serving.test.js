/* Stream calls, topics, and being a service: every public method, and every error. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'node:test';

import * as plexus from 'plexus';

import { KTEST, connect, failure, folder, running, start, until } from './common.js';

const types = plexus.Types.installed(KTEST);

/** A service `made` with these methods of ktest.Toy, beside a running door_server: as running(), with {service, errors}. */
async function serving(t, methods, options = {}) {
    const made = await running(t);
    made.errors = [];
    const definition = { name: 'made', contract: 'ktest.Toy', types, methods, ...options };
    made.service = await plexus.provide(made.at, definition, { onError: (error) => made.errors.push(error) });
    t.after(() => made.service.close());
    return made;
}

async function* count({ message }) {
    for (let value = 0n; value < message.value; value++) {
        yield { value };
    }
}

test('a method is called with a message and a payload and answers with them', async (t) => {
    const { client, service, at } = await serving(t, {
        Ask: (request) => ({ value: request.message.value + 1n }),
        Plant: async (request) => new plexus.Answer(request.toObject(), request.payload),
        Show: () => {},
    });
    assert.deepEqual([service.name, service.there], ['made', true]);
    assert.equal((await client.call('made', 'Ask', { value: 1 })).message.value, 2n);
    const payload = randomBytes(300000);
    for (const known of [client, await connect(t, at, { types: new plexus.Types([process.env.PLEXUS_TYPES, KTEST]) })]) {
        const reply = await known.call('made', 'ktest.Toy.Plant', { name: 'oak', rings: [1, 2], leaves: [{ size: 3 }] }, { payload });
        assert.deepEqual(reply.toObject(), { name: 'oak', leaves: [{ size: 3 }], rings: [1, 2], birds: [] });
        assert.ok(payload.equals(reply.payload));
    }
    assert.deepEqual((await client.call('made', 'Show')).toObject(), {});
    assert.equal((await client.services()).find(({ name }) => name === 'made').alive, true);
});

test('requests know their method', async (t) => {
    const { client } = await serving(t, { Ask: ({ method, payload }) => ({ value: method.length + payload.length }) });
    assert.equal((await client.call('made', 'Ask', {}, { payload: 'four' })).message.value, 7n);
});

test('a refusal is the status and text that its asker gets', async (t) => {
    const { client, errors } = await serving(t, {
        Ask: () => {
            throw new plexus.Refusal(plexus.Status.IN_USE, 'not\nyou');
        },
        Retry: () => {
            throw new plexus.Refusal('LIMIT', 'x'.repeat(1000));
        },
        Plant: () => {
            throw new SyntaxError('secret');
        },
        Show: () => ({ none: 1 }),
    });
    const error = await failure(client.call('made', 'Ask'));
    assert.deepEqual([error.service, error.method, error.status, error.text], ['made', 'Ask', 'IN_USE', 'not you']);
    assert.equal((await failure(client.call('made', 'Retry'))).text, 'x'.repeat(160));
    assert.equal(errors.length, 0);
    const fault = await failure(client.call('made', 'Plant'));
    assert.deepEqual([fault.status, fault.text], ['INTERNAL', 'the method failed with SyntaxError']);
    assert.equal((await failure(client.call('made', 'Show'))).status, 'INTERNAL');
    assert.deepEqual(errors.map(({ name }) => name), ['SyntaxError', 'TypesError']);
    assert.throws(() => new plexus.Refusal('OK'), RangeError);
    assert.throws(() => new plexus.Refusal('NONE'), RangeError);
    assert.equal(new plexus.Refusal('BUSY').status, 'BUSY');
});

test('methods that have no handler, or another shape, are told', async (t) => {
    const { client } = await serving(t, { Ask: () => ({}), Watch: { stream: count } });
    assert.equal((await failure(client.call('made', 'Retry'))).status, 'UNSUPPORTED');
    assert.equal((await failure(client.call('made', 'Watch'))).status, 'UNSUPPORTED');
    const error = await failure(client.stream('made', 'Ask').next());
    assert.deepEqual([error.status, error.text], ['UNSUPPORTED', 'it is a single call: it does not answer with a stream']);
    assert.match((await failure(client.call('made', 'Aks'))).text, /it has: Ask, Note, Plant/);
});

test('who gives up is heard', async (t) => {
    const reasons = [];
    const { client } = await serving(t, {
        Ask: ({ signal }) => new Promise((resolve, reject) => {
            signal.addEventListener('abort', () => {
                reasons.push(signal.reason);
                reject(signal.reason);
            });
        }),
        Retry: ({ signal }) => ({ value: signal.aborted ? 1 : 0 }),
    });
    assert.equal((await client.call('made', 'Retry')).message.value, 0n);
    assert.equal((await failure(client.call('made', 'Ask', {}, { timeoutMs: 50 }))).status, 'TIMED_OUT');
    const abort = new AbortController();
    const call = failure(client.call('made', 'Ask', {}, { signal: abort.signal }));
    setTimeout(() => abort.abort(), 50);
    assert.equal((await call).name, 'AbortError');
    await until(() => reasons.length === 2);
    assert.deepEqual(reasons.map(({ service, method }) => `${service}.${method}`), ['made.Ask', 'made.Ask']);
    assert.deepEqual(reasons.map(({ status }) => status), ['TIMED_OUT', 'CANCELLED']);
});

test('a stream yields its items and returns its reply', async (t) => {
    const { client } = await serving(t, {
        Watch: {
            async* stream(request) {
                yield* count(request);
                yield new plexus.Answer({ value: 100 }, 'bytes');
                return { value: 101 };
            },
        },
    });
    for (const credit of [1, 2, 16, 65536]) {
        const items = client.stream('made', 'Watch', { value: 50 }, { credit });
        const values = [];
        let what = await items.next();
        for (; !what.done; what = await items.next()) {
            values.push(Number(what.value.message.value));
        }
        assert.deepEqual(values, [...Array(50).keys(), 100]);
        assert.equal(what.value.message.value, 101n);
    }
    let last;
    for await (const item of client.stream('made', 'Watch')) {
        last = item;
    }
    assert.equal(Buffer.from(last.payload).toString(), 'bytes');
    for (const credit of [0, 65537, 1.5]) {
        assert.ok(await failure(client.stream('made', 'Watch', {}, { credit }).next()) instanceof RangeError);
    }
});

test('no more items are made than their asker can take, and leaving ends the stream', async (t) => {
    let made = 0;
    let ended = false;
    const { client } = await serving(t, {
        Watch: {
            async* stream() {
                try {
                    for (;;) {
                        made++;
                        yield { value: made };
                    }
                } finally {
                    ended = true;
                }
            },
        },
    });
    let taken = 0;
    for await (const item of client.stream('made', 'Watch', {}, { credit: 4 })) {
        taken++;
        assert.equal(item.message.value, BigInt(taken));
        await delay(10);
        assert.ok(made <= taken + 5, `${made} were made, ${taken} taken`);
        if (taken === 10) {
            break;
        }
    }
    await until(() => ended);
});

test('a stream ends with what its method throws, a timeout to its first item, or a signal', async (t) => {
    const { client } = await serving(t, {
        Watch: {
            async* stream({ message, signal }) {
                if (message.value > 0n) {
                    yield { value: 1 };
                    throw new plexus.Refusal('TRUNCATED', 'half of it');
                }
                await new Promise((resolve) => {
                    signal.addEventListener('abort', resolve);
                });
            },
        },
    });
    const items = client.stream('made', 'Watch', { value: 1 });
    assert.equal((await items.next()).value.message.value, 1n);
    const error = await failure(items.next());
    assert.deepEqual([error.method, error.status, error.text], ['Watch', 'TRUNCATED', 'half of it']);
    assert.equal((await failure(client.stream('made', 'Watch', {}, { timeoutMs: 50 }).next())).status, 'TIMED_OUT');
    const signal = AbortSignal.timeout(50);
    assert.equal((await failure(client.stream('made', 'Watch', {}, { signal }).next())).name, 'TimeoutError');
    assert.equal((await failure(client.stream('made', 'Watch', {}, { signal }).next())).name, 'TimeoutError');
});

test('a topic is told, and a subscriber begins anew when its service or its system went', async (t) => {
    const made = await serving(t, { Watch: { stream: count } });
    const watched = made.client.subscribe('inspect', 'Watch', { service: 'made' }, { retryMs: 10 });
    await made.client.call('made', 'Retry').catch(() => {});
    assert.ok((await watched.next()).value.toObject().records.length > 0);
    await watched.return();

    const seen = [];
    let run = 0;
    const definition = {
        name: 'topic',
        contract: 'ktest.Toy',
        types,
        methods: {
            Watch: {
                async* stream({ signal }) {
                    run++;
                    yield { value: run };
                    await new Promise((resolve) => {
                        signal.addEventListener('abort', resolve);
                    });
                },
            },
        },
    };
    const errors = [];
    const options = { onError: (error) => errors.push(error) };
    let topic = await plexus.provide(made.at, definition, options);
    const subscribed = (async () => {
        for await (const item of made.client.subscribe('topic', 'Watch', {}, { retryMs: 10 })) {
            seen.push(Number(item.message.value));
            if (seen.length === 3) {
                break;
            }
        }
    })();
    await until(() => seen.length === 1);
    topic.close();
    assert.equal(topic.there, false);
    await delay(30);
    topic = await plexus.provide(made.at, definition, options);
    t.after(() => topic.close());
    await until(() => seen.length === 2);
    await made.server.kill();
    await until(() => !topic.there);
    made.server = await start(made.at);
    await subscribed;
    assert.deepEqual(seen, [1, 2, 3]);
    assert.deepEqual(errors.map(({ name, service }) => [name, service]), [['ConnectError', 'topic']]);
    assert.equal((await failure(made.client.subscribe('nobody', 'Watch').next())).status, 'NOT_FOUND');
});

test('a service that was closed is gone, and its name free', async (t) => {
    let asked = false;
    const { client, service, at } = await serving(t, {
        Ask: () => new Promise(() => {
            asked = true;
        }),
    });
    const call = failure(client.call('made', 'Ask'));
    await until(() => asked);
    service.close();
    service.close();
    const error = await call;
    assert.deepEqual([error.status, error.service], ['SERVICE_GONE', 'made']);
    const abort = new AbortController();
    const again = await plexus.provide(at, { name: 'made', contract: 'ktest.Toy', types, methods: {} }, { signal: abort.signal });
    assert.equal(again.there, true);
    abort.abort();
    assert.equal(again.there, false);
    await until(async () => (await failure(client.call('made', 'Ask'))).status === 'SERVICE_GONE');
});

test('a name that is taken, or is none, is refused, and so is a method that there is not', async (t) => {
    const { at } = await serving(t, {});
    const offer = (definition) => failure(plexus.provide(at, { name: 'x', contract: 'ktest.Toy', types, methods: {}, ...definition }));
    for (const [name, status] of [['made', 'IN_USE'], ['toy', 'IN_USE'], ['', 'BAD_REQUEST'], ['a b', 'BAD_REQUEST'],
        ['x'.repeat(32), 'BAD_REQUEST']]) {
        const error = await offer({ name });
        assert.ok(error instanceof plexus.CallError);
        assert.deepEqual([error.service, error.method, error.status], ['door', 'Provide', status]);
    }
    assert.match((await offer({ methods: { Aks: () => {} } })).message, /no method 'Aks'; its methods are: Note, Ask/);
    assert.match((await offer({ methods: { Ask: {} } })).message, /'Ask' has no function/);
    assert.match((await offer({ contract: 'none.None' })).message, /no contract 'none.None'/);
    assert.ok(await offer({ types: ['/nonexistent'] }) instanceof plexus.TypesError);
    assert.ok(await failure(plexus.provide(path.join(folder(t), 'none'), { name: 'x', contract: 'ktest.Toy', types, methods: {} }))
        instanceof plexus.ConnectError);
    const signal = AbortSignal.abort();
    assert.equal((await failure(plexus.provide(at, { name: 'x', contract: 'ktest.Toy', types, methods: {} }, { signal }))).name,
        'AbortError');
});
