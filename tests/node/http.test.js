/* HTTP handlers behind `plexus serve`. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'node:test';

import * as plexus from 'plexus';

import { failure, serve, until } from './common.js';

/** A handler `hello` behind `plexus serve`: as serve(), with {service, errors}. */
async function handling(t, handler) {
    const made = await serve(t, 'hello');
    made.errors = [];
    made.service = await plexus.provideHttp(made.at, 'hello', handler, { onError: (error) => made.errors.push(error) });
    t.after(() => made.service.close());
    return made;
}

/** One request: {status, headers, trailers, informed, body}. `body`: bytes, or an iterable of them. */
async function fetch(made, target, { method = 'GET', headers = {}, body = [] } = {}) {
    const request = http.request({ host: made.host, port: made.port, path: target, method, headers, agent: false });
    const informed = [];
    request.on('information', (one) => informed.push({ status: one.statusCode, headers: one.headers }));
    (async () => {
        for await (const part of Buffer.isBuffer(body) ? [body] : body) {
            request.write(part);
        }
        request.end();
    })();
    const [response] = await once(request, 'response');
    const parts = await response.toArray();
    return {
        status: response.statusCode, headers: response.headers, raw: response.rawHeaders, informed, body: Buffer.concat(parts),
    };
}

test('a request says what it is', async (t) => {
    const made = await handling(t, (request) => JSON.stringify({
        method: request.method,
        target: request.target,
        path: request.path,
        query: [...request.query],
        headers: request.headers,
        scheme: request.scheme,
        authority: request.authority,
        remote: request.remote,
        version: request.version,
        trailers: request.trailers,
    }));
    const said = await fetch(made, '/a%20b?c=d&c=%20e', { headers: { Host: 'x.test', One: ['1', '2'], Cookie: 'a=b' } });
    const told = JSON.parse(said.body);
    assert.deepEqual([told.method, told.target, told.path, told.query],
        ['GET', '/a%20b?c=d&c=%20e', '/a b', [['c', 'd'], ['c', ' e']]]);
    assert.deepEqual([told.headers.one, told.headers.cookie, told.scheme, told.authority, told.version],
        ['1, 2', 'a=b', 'http', 'x.test', 1.1]);
    assert.match(told.remote, /^127\.0\.0\.1:\d+$/);
    assert.deepEqual(told.trailers, {});
    assert.deepEqual([said.status, said.headers['content-type']], [200, 'text/plain; charset=utf-8']);
    assert.equal(JSON.parse((await fetch(made, '/a?b=%')).body).path, '/a');
});

test('bodies of every size go both ways', async (t) => {
    const made = await handling(t, (request) => ({ headers: { 'content-type': 'x/y' }, body: request }));
    for (const length of [0, 1, 511, 512, 16384, 16385, 65535, 65536, 65537, 1000000]) {
        const body = randomBytes(length);
        const pieces = Array.from({ length: Math.ceil(length / 7000) }, (_, i) => body.subarray(i * 7000, (i + 1) * 7000));
        for (const one of [body, pieces]) {
            const said = await fetch(made, '/', { method: 'POST', body: one });
            assert.ok(said.body.equals(body), `${length} bytes`);
            assert.equal(said.headers['content-type'], 'x/y');
        }
    }
});

test('a body that is there as a whole has its length, whatever it is', async (t) => {
    const large = randomBytes(300000);
    const bodies = {
        '/none': undefined, '/null': null, '/empty': '', '/text': 'grüße', '/bytes': Uint8Array.of(1, 2), '/large': large,
        '/object': { body: 'x', status: 201, headers: [['A', 'b'], ['a', 'c']] }, '/free': randomBytes(16384), '/over': randomBytes(16385),
    };
    const made = await handling(t, ({ path }) => bodies[path]);
    for (const [path, body] of Object.entries(bodies)) {
        const said = await fetch(made, path);
        const wanted = Buffer.from(body?.body ?? body ?? '');
        assert.ok(said.body.equals(wanted), path);
        assert.equal(said.headers['content-length'], String(wanted.length), path);
        const head = await fetch(made, path, { method: 'HEAD' });
        assert.deepEqual([head.body.length, head.headers['content-length'], head.status], [0, String(wanted.length), said.status]);
    }
    const said = await fetch(made, '/object');
    assert.deepEqual([said.status, said.headers.a], [201, 'b, c']);
});

test('a body in pieces is sent as it is made, and one whose length is said has it', async (t) => {
    let resume;
    const made = await handling(t, async ({ path, method }) => {
        async function* pieces() {
            assert.notEqual(method, 'HEAD');
            yield 'one ';
            await new Promise((resolve) => {
                resume = resolve;
            });
            yield Buffer.from('two');
            yield '';
        }
        return { body: pieces(), headers: path === '/length' ? { 'Content-Length': 7 } : {} };
    });
    for (const path of ['/', '/length']) {
        const request = http.request({ host: made.host, port: made.port, path, agent: false }).end();
        const [response] = await once(request, 'response');
        const parts = response[Symbol.asyncIterator]();
        assert.equal(String((await parts.next()).value), 'one ');
        resume();
        assert.equal(String((await parts.next()).value), 'two');
        assert.equal((await parts.next()).done, true);
        assert.equal(response.headers['content-length'], path === '/length' ? '7' : undefined);
        assert.equal((await fetch(made, path, { method: 'HEAD' })).status, 200);
    }
    assert.deepEqual(made.errors, []);
});

test('what a slow client has not taken is not made', async (t) => {
    let made = 0;
    let ended = false;
    const running = await handling(t, () => ({
        body: (async function* pieces() {
            try {
                for (;;) {
                    made += 65536;
                    yield Buffer.alloc(65536);
                }
            } finally {
                ended = true;
            }
        }()),
    }));
    const socket = net.connect(running.port, running.host).pause();
    await once(socket, 'connect');
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await until(() => made > 0);
    await delay(300);
    const before = made;
    await delay(300);
    assert.equal(made, before);
    assert.ok(made < 16 << 20, `${made} bytes were made`);
    socket.resetAndDestroy();
    await until(() => ended);
});

test('a request body is not taken before it is wanted', async (t) => {
    let sent = 0;
    let go;
    const made = await handling(t, async (request) => {
        await new Promise((resolve) => {
            go = resolve;
        });
        return `${(await request.bytes()).length}`;
    });
    const body = (function* pieces() {
        for (; sent < 12 << 20; sent += 65536) {
            yield Buffer.alloc(65536);
        }
    }());
    const request = http.request({ host: made.host, port: made.port, method: 'POST', path: '/', agent: false });
    (async () => {
        for (const part of body) {
            if (!request.write(part)) {
                await once(request, 'drain');
            }
        }
        request.end();
    })();
    await until(() => go !== undefined);
    await delay(300);
    assert.ok(sent < 10 << 20, `${sent} bytes went`);
    go();
    const [response] = await once(request, 'response');
    assert.equal(String(Buffer.concat(await response.toArray())), String(12 << 20));
});

test('bytes, text and json take a body as a whole, up to a limit', async (t) => {
    const made = await handling(t, async (request) => {
        const max = Number(request.query.get('max') ?? 16 << 20);
        if (request.path === '/bytes') {
            return request.bytes(max);
        }
        return request.path === '/text' ? (await request.text(max)).toUpperCase() : JSON.stringify((await request.json(max)).a);
    });
    const post = (target, body) => fetch(made, target, { method: 'POST', body: Buffer.from(body) });
    assert.equal(String((await post('/bytes', 'abc')).body), 'abc');
    assert.equal(String((await post('/text', 'grüße')).body), 'GRÜSSE');
    assert.equal(String((await post('/json', '{"a": [1]}')).body), '[1]');
    assert.equal((await post('/bytes?max=3', 'abc')).status, 200);
    assert.equal((await post('/bytes?max=2', 'abc')).status, 413);
    assert.equal((await post('/json', '{')).status, 400);
    assert.deepEqual(made.errors, []);
});

test('trailers of a request are there when its body has been read', async (t) => {
    const made = await handling(t, async (request) => {
        await request.bytes();
        return JSON.stringify(request.trailers);
    });
    const request = http.request({ host: made.host, port: made.port, method: 'POST', path: '/', agent: false });
    request.write('body');
    request.addTrailers({ Sum: '42' });
    request.end();
    const [response] = await once(request, 'response');
    assert.deepEqual(JSON.parse(Buffer.concat(await response.toArray())), { sum: '42' });
});

test('statuses without a body have none, and interim responses go first', async (t) => {
    const made = await handling(t, (request) => {
        if (request.path === '/hints') {
            request.inform(103, { Link: '</style.css>; rel=preload' });
            assert.throws(() => request.inform(101), RangeError);
            assert.throws(() => request.inform(200), RangeError);
        }
        return { status: Number(request.query.get('status') ?? 200), body: 'text' };
    });
    for (const status of [204, 304]) {
        const said = await fetch(made, `/?status=${status}`);
        assert.deepEqual([said.status, said.body.length], [status, 0]);
    }
    const said = await fetch(made, '/hints');
    assert.deepEqual([said.status, String(said.body)], [200, 'text']);
    assert.deepEqual(said.informed, [{ status: 103, headers: { link: '</style.css>; rel=preload' } }]);
});

test('a Response of fetch is a response', async (t) => {
    const made = await handling(t, () => new Response('web', { status: 202, headers: { A: 'b' } }));
    const said = await fetch(made, '/');
    assert.deepEqual([said.status, said.headers.a, String(said.body)], [202, 'b', 'web']);
});

test('what a handler throws is 500, or the status that it says', async (t) => {
    const made = await handling(t, ({ path }) => {
        if (path === '/own') {
            throw Object.assign(new Error('no such thing'), { status: 404 });
        }
        if (path === '/number') {
            return { body: 5 };
        }
        if (path === '/header') {
            return { headers: { a: 'b\r\nc: d' } };
        }
        if (path === '/status') {
            return { status: 42 };
        }
        if (path === '/pieces') {
            return { body: [5] };
        }
        if (path === '/half') {
            return {
                body: (async function* half() {
                    yield 'half';
                    throw new Error('broken');
                }()),
            };
        }
        throw new Error('secret');
    });
    const own = await fetch(made, '/own');
    assert.deepEqual([own.status, String(own.body), made.errors.length], [404, 'no such thing\n', 0]);
    for (const path of ['/', '/number', '/header', '/status']) {
        const said = await fetch(made, path);
        assert.equal(said.status, 500, path);
        assert.ok(!String(said.body).includes('secret'));
    }
    assert.deepEqual(made.errors.map(({ name }) => name), ['Error', 'TypeError', 'TypeError', 'RangeError']);
    for (const path of ['/half', '/pieces']) {
        assert.equal((await failure(fetch(made, path))).code, 'ECONNRESET');
    }
    assert.equal(made.errors.length, 6);
});

test('a handler hears that its client has gone', async (t) => {
    const reasons = [];
    const made = await handling(t, async (request) => {
        if (request.path === '/read') {
            reasons.push(await failure(request.bytes()));
        }
        await until(() => request.signal.aborted);
        reasons.push(request.signal.reason);
        return 'nobody hears this';
    });
    for (const head of ['GET / HTTP/1.1\r\n', 'POST /read HTTP/1.1\r\nContent-Length: 10\r\n']) {
        const socket = net.connect(made.port, made.host);
        await once(socket, 'connect');
        socket.write(`${head}Host: x\r\n\r\nx`);
        await delay(100);
        socket.resetAndDestroy();
    }
    await until(() => reasons.length === 3);
    assert.deepEqual(reasons.map(({ service, status }) => [service, status]).flat(), Array(3).fill(['hello', 'RESET']).flat());
    assert.deepEqual(reasons.map(({ method }) => method), ['GET /', 'POST /read', 'POST /read']);
    assert.deepEqual(made.errors, []);
});

test('many requests run side by side and are told apart', async (t) => {
    const made = await handling(t, async (request) => {
        const text = await request.text();
        await delay(Number(text) % 20);
        return text;
    });
    const said = await Promise.all(Array.from({ length: 200 }, (_, i) => fetch(made, '/', { method: 'POST', body: Buffer.from(`${i}`) })));
    said.forEach(({ status, body }, i) => assert.deepEqual([status, String(body)], [200, `${i}`]));
});

test('without a handler requests are answered 503, and with the next one they go on', async (t) => {
    const made = await handling(t, ({ path }) => (path === '/wait' ? new Promise(() => {}) : 'first'));
    const waiting = fetch(made, '/wait');
    assert.equal(String((await fetch(made, '/')).body), 'first');
    made.service.close();
    assert.equal((await waiting).status, 503);
    const away = await fetch(made, '/');
    assert.deepEqual([away.status, away.headers['retry-after']], [503, '1']);
    const next = await plexus.provideHttp(made.at, 'hello', () => 'second');
    t.after(() => next.close());
    assert.equal(String((await fetch(made, '/')).body), 'second');
    const taken = await failure(plexus.provideHttp(made.at, 'hello', () => 'third'));
    assert.deepEqual([taken.service, taken.method, taken.status], ['door', 'Provide', 'IN_USE']);
});

test('a handler comes back when the server was started anew', async (t) => {
    const made = await handling(t, () => 'still here');
    assert.equal(String((await fetch(made, '/')).body), 'still here');
    await made.restart();
    await until(() => made.service.there);
    assert.equal(String((await fetch(made, '/')).body), 'still here');
    assert.deepEqual(made.errors.map(({ name, service }) => [name, service]), [['ConnectError', 'hello']]);
});
