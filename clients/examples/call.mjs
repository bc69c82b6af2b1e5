/* call.mjs - calls a running system from Node: its services, one call, and an error that says what to do. CC0, no rights
 * reserved.
 *
 *     npm install PLEXUS/clients/node
 *     plexus serve --name web & node call.mjs web
 */
import { CallError, connect } from 'plexus';

const client = await connect(process.argv[2], { timeoutMs: 2000 });
for (const { name, alive, contracts } of await client.services()) {
    console.log(`${name}: ${alive ? 'there' : 'gone'}, answers ${contracts.map((one) => one.name).join(', ') || 'nobody outside'}`);
}
const { accepted, open } = (await client.call('net', 'Stats')).toObject();
console.log(`${accepted} connections so far, ${open} of them are open`);
try {
    await client.call('net', 'Statz', {}, { signal: AbortSignal.timeout(500) });
} catch (error) {
    if (!(error instanceof CallError && error.status === 'NOT_FOUND')) {
        throw error;
    }
    console.log(`${error.text} (${error.remedy})`);
}
client.close();
