/* What a call costs from Node: `bench.js ROUNDS`. Environment as for plexus.test.js. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import * as plexus from 'plexus';

const rounds = Number(process.argv[2]);

function report(what, times) {
    times.sort((a, b) => a - b);
    const at = (share) => times[Math.floor(times.length * share)].toFixed(1).padStart(6);
    console.log(`${what.padEnd(28)} p50 ${at(0.5)} us   p99 ${at(0.99)} us`);
}

async function oneByOne(client, payload) {
    const times = [];
    for (let i = 0; i < rounds; i++) {
        const begin = process.hrtime.bigint();
        await client.call('toy', 'Plant', { name: 'oak' }, { payload });
        times.push(Number(process.hrtime.bigint() - begin) / 1000);
    }
    report(`one at a time, ${payload.length} bytes`, times);
}

async function sideBySide(client) {
    const begin = process.hrtime.bigint();
    for (let i = 0; i < rounds / 16; i++) {
        await Promise.all(Array.from({ length: 16 }, () => client.call('toy', 'Ask', { value: 1 })));
    }
    const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
    console.log(`${'16 side by side'.padEnd(28)} ${Math.round(rounds / seconds)} calls/s`);
}

const top = fs.mkdtempSync(path.join(os.tmpdir(), 'plexus-bench-'));
const server = spawn(process.env.PLEXUS_DOOR_SERVER, [path.join(top, 'toy')], { stdio: ['pipe', 'pipe', 'inherit'] });
const exit = once(server, 'exit');
await once(server.stdout, 'data');
const client = await plexus.connect(path.join(top, 'toy'));
await oneByOne(client, Buffer.alloc(0));
await oneByOne(client, Buffer.alloc(16384));
await sideBySide(client);
client.close();
server.stdin.end();
await exit;
fs.rmSync(top, { recursive: true });
