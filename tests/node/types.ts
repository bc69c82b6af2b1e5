/* Compiled, not run: what index.d.ts says is what a program in TypeScript needs, and lines that are marked must not compile. */
import {
    Answer, CallError, Client, ConnectOptions, HttpRequest, PlexusError, Refusal, Reply, Request, Service, ServiceIs, Status, TraceIs,
    Types, connect, provide, provideHttp,
} from 'plexus';

export async function use(options: ConnectOptions): Promise<string> {
    const client: Client = await connect('web', { ...options, types: new Types(['a.desc']), timeoutMs: 1000 });
    const reply: Reply = await client.call('net', 'Stats', { listener: 0 }, { payload: 'x', signal: AbortSignal.timeout(5) });
    const services: ServiceIs[] = await client.services();
    for await (const record of client.trace('h1', { follow: false })) {
        const seen: TraceIs = record;
        console.log(seen.atUs + 1, reply.payload.length, reply.toObject().open);
    }
    try {
        await client.system({ timeoutMs: 5 });
    } catch (error) {
        if (error instanceof CallError && error.status === Status.BUSY) {
            const wide: PlexusError = error;
            return wide.remedy;
        }
    }
    // @ts-expect-error a status that there is not
    console.log(Status.BUSSY);
    // @ts-expect-error a timeout is a number
    await client.call('net', 'Stats', {}, { timeoutMs: '5' });
    // @ts-expect-error connect() makes clients
    console.log(new Client());
    client.close();
    return services[0]?.name ?? '';
}

export async function be(door: string): Promise<void> {
    const service: Service = await provide(door, {
        name: 'greeter',
        contract: 'greeter.Greeter',
        types: ['greeter.desc'],
        methods: {
            Hello: async ({ message, signal }: Request) => (signal.aborted ? {} : { text: message.name }),
            Payload: { call: () => new Answer({}, 'bytes'), idempotent: true },
            Many: async function* many() {
                yield { text: 'a' };
                yield new Answer({ text: 'b' });
            },
            Never: () => {
                throw new Refusal(Status.BUSY, 'never');
            },
        },
    }, { onError: (error: unknown) => console.log(error), signal: AbortSignal.timeout(5) });
    const http: Service = await provideHttp(door, 'hello', async (request: HttpRequest) => {
        if (request.path === '/web') {
            return new Response('web');
        }
        if (request.path === '/text') {
            return 'text';
        }
        request.inform(103, { link: '</a>' });
        return { status: 201, headers: { a: ['b', 'c'], n: 5 }, body: request.method === 'GET' ? ['a', 'b'] : request };
    });
    const client = await connect(door);
    for await (const item of client.stream('greeter', 'Many', {}, { credit: 4 })) {
        console.log(item.toObject().text);
    }
    for await (const event of client.subscribe('inspect', 'Watch', {}, { retryMs: 100 })) {
        console.log(event.payload.length, service.there, http.name);
    }
    // @ts-expect-error OK is no refusal
    throw new Refusal('OK');
}
