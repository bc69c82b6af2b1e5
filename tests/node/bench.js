/* What calls cost from Node, and what a handler in Node serves to wrk: `bench.js ROUNDS SECONDS`. Environment as for the tests. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import * as plexus from 'plexus';

import { beginServe, start } from './common.js';

const [rounds, seconds] = process.argv.slice(2).map(Number);

function report(what, times) {
    times.sort((a, b) => a - b);
    const at = (share) => times[Math.floor(times.length * share)].toFixed(1).padStart(6);
    console.log(`${what.padEnd(28)} p50 ${at(0.5)} us   p99 ${at(0.99)} us`);
}

async function oneByOne(client, what, service, payload) {
    const times = [];
    for (let i = 0; i < rounds; i++) {
        const begin = process.hrtime.bigint();
        await client.call(service, 'Plant', { name: 'oak' }, { payload });
        times.push(Number(process.hrtime.bigint() - begin) / 1000);
    }
    report(what, times);
}

async function sideBySide(client) {
    const begin = process.hrtime.bigint();
    for (let i = 0; i < rounds / 16; i++) {
        await Promise.all(Array.from({ length: 16 }, () => client.call('toy', 'Ask', { value: 1 })));
    }
    console.log(`${'16 side by side'.padEnd(28)} ${Math.round(rounds / (Number(process.hrtime.bigint() - begin) / 1e9))} calls/s`);
}

async function streamed(client) {
    const begin = process.hrtime.bigint();
    let items = 0;
    for await (const item of client.stream('made', 'Watch', { value: rounds }, { credit: 256 })) {
        items += item.message.value >= 0n ? 1 : 0;
    }
    console.log(`${'a stream, Node to Node'.padEnd(28)} ${Math.round(items / (Number(process.hrtime.bigint() - begin) / 1e9))} items/s`);
}

async function calls(top) {
    const server = await start(path.join(top, 'toy'));
    const client = await plexus.connect(path.join(top, 'toy'));
    const service = await plexus.provide(path.join(top, 'toy'), {
        name: 'made',
        contract: 'ktest.Toy',
        types: [process.env.PLEXUS_KTEST_TYPES],
        methods: {
            Plant: (request) => ({ name: request.message.name }),
            Watch: {
                async* stream({ message }) {
                    for (let value = 0n; value < message.value; value++) {
                        yield { value };
                    }
                },
            },
        },
    });
    await oneByOne(client, 'one at a time, 0 bytes', 'toy', Buffer.alloc(0));
    await oneByOne(client, 'one at a time, 16384 bytes', 'toy', Buffer.alloc(16384));
    await oneByOne(client, 'of a service in Node', 'made', Buffer.alloc(0));
    await sideBySide(client);
    await streamed(client);
    service.close();
    client.close();
    await server.stop();
}

/* wrk, which is another process, so that this one can answer it. */
async function load(url, connections) {
    const wrk = spawn('wrk', ['-t1', `-c${connections}`, `-d${seconds}`, '--latency', url], { stdio: ['ignore', 'pipe', 'inherit'] });
    const chunks = await wrk.stdout.toArray();
    const text = Buffer.concat(chunks).toString();
    const [, rate] = text.match(/Requests\/sec:\s+(\S+)/);
    const [, p50] = text.match(/50%\s+(\S+)/);
    const [, p99] = text.match(/99%\s+(\S+)/);
    const wrong = text.match(/Non-2xx.*|Socket errors.*/)?.[0] ?? '';
    console.log(`${`handler, ${connections} connections`.padEnd(28)} ${rate} requests/s   p50 ${p50}   p99 ${p99} ${wrong}`);
}

async function handler(top) {
    const server = await beginServe(top, 'hello');
    const service = await plexus.provideHttp(server.at, 'hello', () => 'Hello, World!\n');
    for (const connections of [1, 64]) {
        await load(`http://${server.host}:${server.port}/`, connections);
    }
    service.close();
    await server.stop();
}

const top = fs.mkdtempSync(path.join(os.tmpdir(), 'plexus-bench-'));
await calls(top);
await handler(top).catch((error) => {
    if (error.code !== 'ENOENT') {
        throw error;
    }
    console.log('wrk is not installed: what a handler serves was not measured');
    process.exit(0);
});
fs.rmSync(top, { recursive: true });
