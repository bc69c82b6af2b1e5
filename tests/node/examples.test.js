/* The examples for Node do what their first lines say. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'node:test';

import { connect, failure, folder, running, serve, until } from './common.js';

/** Runs an example to its end: {code, out}. `meanwhile` gets the process. */
async function run(name, argv, meanwhile = () => {}) {
    const child = spawn(process.execPath, [name, ...argv], { stdio: ['ignore', 'pipe', 'inherit'] });
    const exit = once(child, 'close');
    let out = '';
    child.stdout.on('data', (chunk) => {
        out += chunk;
    });
    await meanwhile(child);
    const [code] = await exit;
    return { code, out };
}

test('call lists services, calls one and explains an error', async (t) => {
    const { at } = await running(t);
    const { code, out } = await run('call.mjs', [at]);
    assert.equal(code, 0);
    assert.match(out, /^toy: there, answers ktest\.Toy$/m);
    assert.match(out, /^net: there, answers net\.Net$/m);
    assert.match(out, /^0 connections so far, 0 of them are open$/m);
    assert.match(out, /^net has no such method; it has: .*Stats.* \(look for the right name: plexus ps\)$/m);
});

test('trace_to_file writes what was said until it is interrupted', async (t) => {
    const { at, client } = await running(t);
    const file = path.join(folder(t), 'trace.jsonl');
    const written = () => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '');
    const { code, out } = await run('trace_to_file.mjs', [at, file, 'toy'], async (child) => {
        for (let value = 1; !written().includes('ktest.Toy.Ask') && value < 500; value++) {
            await client.call('toy', 'Ask', { value });
            await delay(20);
        }
        child.kill('SIGINT');
    });
    assert.deepEqual([code, out], [0, '']);
    const records = written().trim().split('\n').map((line) => JSON.parse(line));
    assert.deepEqual(records.slice(0, 2).map(({ sender, receiver, kind }) => [sender, receiver, kind]),
        [['guest', 'toy', 'call'], ['toy', 'guest', 'reply']]);
});

/** An example that runs until it is interrupted, at the end of the test at the latest: {lines, stop()}. Resolves when it has said
 * `ready`, if that is not empty. */
async function begin(t, name, argv, ready = '') {
    const child = spawn(process.execPath, [name, ...argv], { stdio: ['ignore', 'pipe', 'inherit'] });
    const exit = once(child, 'close');
    const made = { text: '' };
    child.stdout.on('data', (chunk) => {
        made.text += chunk;
    });
    made.lines = () => made.text.split('\n').slice(0, -1);
    made.stop = async () => {
        child.kill('SIGINT');
        return (await exit)[0];
    };
    t.after(() => child.kill('SIGKILL'));
    await until(() => made.text.startsWith(ready));
    return made;
}

test('http_handler answers what its pages say', async (t) => {
    const made = await serve(t, 'hello');
    const example = await begin(t, 'http_handler.mjs', [made.at], 'answering\n');
    const url = `http://${made.host}:${made.port}`;
    const said = async (...request) => {
        const response = await fetch(...request);
        return [response.status, await response.text()];
    };
    const post = (page, body) => said(url + page, { method: 'POST', body });
    assert.deepEqual(await said(`${url}/hello`), [200, 'Hello, World!\n']);
    assert.deepEqual(await said(`${url}/hello/you`), [200, 'Hello, you!\n']);
    assert.deepEqual(await said(`${url}/countdown`), [200, '3\n2\n1\nGo!\n']);
    assert.deepEqual(await post('/sum', '[1, 2, 3]'), [200, '{"sum":6}']);
    assert.equal((await post('/sum', '[1, 2, 3'))[0], 400);
    assert.deepEqual(await post('/echo', 'x'.repeat(300000)), [200, 'x'.repeat(300000)]);
    assert.deepEqual(await said(`${url}/none`), [404, 'There is no such page.\n']);
    assert.equal(await example.stop(), 0);
    assert.equal((await said(`${url}/hello`))[0], 503);
});

test('service greets and topic_subscriber hears whom, from the next one too', async (t) => {
    const { at, client } = await running(t);
    const descriptors = path.join(folder(t), 'greeter.desc');
    execFileSync('protoc', ['--proto_path=.', `--descriptor_set_out=${descriptors}`, 'greeter.proto']);
    let service = await begin(t, 'service.mjs', [at, descriptors], 'greeting\n');
    const types = [process.env.PLEXUS_TYPES, descriptors];
    for (const known of [client, await connect(t, at, { types })]) {
        assert.deepEqual((await known.call('greeter', 'Hello', { name: 'you' })).toObject(), { text: 'Hello, you!' });
        assert.equal((await failure(known.call('greeter', 'Hello'))).text, 'say whom to greet');
    }
    const subscriber = await begin(t, 'topic_subscriber.mjs', [at, 'greeter', 'Greeted']);
    const greetUntilHeard = async (name) => {
        for (let i = 0; !subscriber.lines().includes(`{"name":"${name}"}`); i++) {
            assert.ok(i < 500);
            await client.call('greeter', 'Hello', { name });
            await delay(20);
        }
    };
    await greetUntilHeard('Ann');
    assert.equal(await service.stop(), 0);
    service = await begin(t, 'service.mjs', [at, descriptors], 'greeting\n');
    await greetUntilHeard('Bob');
    assert.equal(await subscriber.stop(), 0);
    assert.equal(await service.stop(), 0);
});
