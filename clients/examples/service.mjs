/* service.mjs - a program that is a service: it greets, and tells as a topic whom. CC0, no rights reserved.
 *
 *     npm install PLEXUS/clients/node
 *     protoc -I PLEXUS/clients/examples --descriptor_set_out=greeter.desc greeter.proto
 *     plexus serve --name web & node service.mjs web greeter.desc & plexus call --name web greeter Hello '{"name": "you"}'
 */
import { Refusal, provide } from 'plexus';

const [door, descriptors] = process.argv.slice(2);
const listening = new Set(); // functions that each take a name

function hello({ message }) {
    const name = message.name.toString();
    if (name === '') {
        throw new Refusal('BAD_REQUEST', 'say whom to greet');
    }
    listening.forEach((tell) => tell(name));
    return { text: `Hello, ${name}!` };
}

/* Who is greeted, from now on. */
async function* greeted({ signal }) {
    let wake;
    const names = [];
    const tell = (name) => {
        names.push(name);
        wake?.();
    };
    signal.addEventListener('abort', () => wake?.());
    listening.add(tell);
    try {
        while (!signal.aborted) {
            while (names.length > 0) {
                yield { name: names.shift() };
            }
            await new Promise((resolve) => {
                wake = resolve;
            });
        }
    } finally {
        listening.delete(tell);
    }
}

const service = await provide(door, {
    name: 'greeter',
    contract: 'greeter.Greeter',
    types: [descriptors],
    methods: { Hello: hello, Greeted: greeted },
});
console.log('greeting');
process.once('SIGINT', () => service.close());
