/* http_handler.mjs - requests of `plexus serve` are answered here: text, JSON, a body in pieces, and what was sent, given back as
 * it comes. CC0, no rights reserved.
 *
 *     npm install PLEXUS/clients/node
 *     printf 'door: web\nroutes:\n  - {path: /*rest, service: hello}\n' >site.yaml
 *     plexus serve --config site.yaml & node http_handler.mjs web & curl http://127.0.0.1:8080/hello/you
 */
import { setTimeout as delay } from 'node:timers/promises';

import { provideHttp } from 'plexus';

async function* countdown(signal) {
    for (let seconds = 3; seconds > 0; seconds--) {
        yield `${seconds}\n`;
        await delay(200, undefined, { signal }); // rejects when the client has gone
    }
    yield 'Go!\n';
}

async function answer(request) {
    const [, first, second] = request.path.split('/');
    switch (`${request.method} /${first}`) {
    case 'GET /hello':
        return `Hello, ${second || 'World'}!\n`;
    case 'GET /countdown':
        return { body: countdown(request.signal) };
    case 'POST /sum': {
        const numbers = await request.json(); // answered with 400 if it is none, 413 if it is too long
        const body = JSON.stringify({ sum: numbers.reduce((sum, number) => sum + number, 0) });
        return { headers: { 'content-type': 'application/json' }, body };
    }
    case 'POST /echo':
        return { headers: { 'content-type': request.headers['content-type'] }, body: request };
    default:
        return { status: 404, body: 'There is no such page.\n' };
    }
}

const service = await provideHttp(process.argv[2] ?? 'plexus', 'hello', answer);
console.log('answering');
process.once('SIGINT', () => service.close());
