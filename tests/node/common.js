/* What the tests of the Node package share. tests/e2e/node.py says in the environment which door_server to start and where the
 * types are. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

import * as plexus from 'plexus';

export const KTEST = process.env.PLEXUS_KTEST_TYPES;

/** A folder that is gone when the test is over. */
export function folder(t) {
    const top = fs.mkdtempSync(path.join(os.tmpdir(), 'plexus-node-'));
    t.after(() => fs.rmSync(top, { recursive: true }));
    return top;
}

/** A door_server whose door is in the folder. Resolves when that is open. */
export async function start(where) {
    const child = spawn(process.env.PLEXUS_DOOR_SERVER, [where], { stdio: ['pipe', 'pipe', 'inherit'] });
    const exit = once(child, 'exit');
    const [line] = await once(readline.createInterface(child.stdout), 'line');
    if (line !== `${where}/door`) {
        throw new Error(`door_server says ${line}`);
    }
    return {
        pid: child.pid,
        /** Ends it, orderly. */
        async stop() {
            child.stdin.end();
            await exit;
        },
        /** Ends it at once. */
        async kill() {
            child.kill('SIGKILL');
            await exit;
        },
    };
}

/** A door_server for one test, and a client of it: {at, server, client}. Both end with the test. */
export async function running(t, options) {
    const at = path.join(folder(t), 'toy');
    const made = { at, server: await start(at) };
    t.after(() => made.server.stop());
    made.client = await connect(t, at, options);
    return made;
}

/** A `plexus serve` all of whose requests go to the service `name`: {at, host, port, restart(), stop()}. */
export async function beginServe(top, name) {
    const config = path.join(top, 'site.yaml');
    const made = { at: path.join(top, 'web'), host: '127.0.0.1', port: 0 };
    const begin = async () => {
        fs.writeFileSync(config, `listen: 127.0.0.1:${made.port}\ndoor: ${made.at}\nroutes:\n  - {path: /*rest, service: ${name}}\n`);
        const child = spawn(process.env.PLEXUS_PROGRAM, ['serve', '--config', config], { stdio: ['ignore', 'pipe', 'ignore'] });
        for await (const line of readline.createInterface(child.stdout)) {
            made.port = Number(line.match(/http:\/\/127\.0\.0\.1:(\d+)/)?.[1] ?? made.port);
            if (line.startsWith('Stop')) {
                break;
            }
        }
        const exit = once(child, 'exit');
        made.end = async (signal) => {
            child.kill(signal);
            await exit;
        };
    };
    made.restart = async () => {
        await made.end('SIGKILL');
        await begin();
    };
    made.stop = () => made.end('SIGTERM');
    await begin();
    return made;
}

/** The same for one test, at whose end it ends. */
export async function serve(t, name) {
    const made = await beginServe(folder(t), name);
    t.after(() => made.stop());
    return made;
}

/** A client that is closed when the test is over. */
export async function connect(t, at, options) {
    const client = await plexus.connect(at, options);
    t.after(() => client.close());
    return client;
}

/** What a promise is rejected with. */
export async function failure(promise) {
    try {
        await promise;
    } catch (error) {
        return error;
    }
    throw new Error('it did not fail');
}

/** A door that is none: greets with answers[0], answers whatever it is told with answers[1]. Resolves to its folder. */
export async function far(t, ...answers) {
    const at = path.join(folder(t), 'far');
    fs.mkdirSync(at);
    const sockets = new Set();
    const server = net.createServer((socket) => {
        sockets.add(socket);
        socket.on('error', () => {});
        socket.once('data', () => {
            socket.write(answers[0]);
            socket.on('data', () => answers[1] && socket.write(answers[1]));
        });
    });
    server.listen(path.join(at, 'door'));
    await once(server, 'listening');
    t.after(() => {
        server.close();
        sockets.forEach((socket) => socket.destroy());
    });
    return at;
}

/** Waits until something is so, and fails when that takes too long. */
export async function until(condition) {
    for (let i = 0; i < 1000; i++) {
        if (await condition()) {
            return;
        }
        await delay(20);
    }
    throw new Error('waited too long');
}
