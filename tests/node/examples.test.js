/* The examples for Node do what their first lines say. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'node:test';

import { folder, running } from './common.js';

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
