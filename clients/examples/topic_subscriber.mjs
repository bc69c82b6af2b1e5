/* topic_subscriber.mjs - hears a topic, until it is interrupted; when its service or the system went, it goes on with the next
 * one. CC0, no rights reserved.
 *
 *     npm install PLEXUS/clients/node
 *     node topic_subscriber.mjs web greeter Greeted                (service.mjs)
 *     node topic_subscriber.mjs web inspect Watch '{"service": "h1"}'
 */
import { connect } from 'plexus';

const [door, service, topic, fields = '{}'] = process.argv.slice(2);
const interrupted = new AbortController();
process.once('SIGINT', () => interrupted.abort());

const client = await connect(door);
try {
    for await (const event of client.subscribe(service, topic, JSON.parse(fields), { signal: interrupted.signal })) {
        console.log(JSON.stringify(event.toObject(), (key, value) => (typeof value === 'bigint' ? `${value}` : value)));
    }
} catch (error) {
    if (error.name !== 'AbortError') {
        throw error;
    }
}
client.close();
