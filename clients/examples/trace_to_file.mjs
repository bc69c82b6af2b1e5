/* trace_to_file.mjs - what the services of a running system say to each other, a line of JSON for each message, until it is
 * interrupted. CC0, no rights reserved.
 *
 *     npm install PLEXUS/clients/node
 *     plexus serve --name web & node trace_to_file.mjs web trace.jsonl
 */
import fs from 'node:fs';
import { pipeline } from 'node:stream/promises';

import { connect } from 'plexus';

const [name, file, service] = process.argv.slice(2);
const interrupted = new AbortController();
process.once('SIGINT', () => interrupted.abort());

async function* lines(records) {
    try {
        for await (const record of records) {
            yield `${JSON.stringify(record, (key, value) => (typeof value === 'bigint' ? `${value}` : value))}\n`;
        }
    } catch (error) {
        if (error.name !== 'AbortError') {
            throw error;
        }
    }
}

const client = await connect(name);
await pipeline(lines(client.trace(service, { signal: interrupted.signal })), fs.createWriteStream(file)); // as the disk can
client.close();
