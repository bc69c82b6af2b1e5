/* Compiled, not run: what index.d.ts says is what a program in TypeScript needs, and lines that are marked must not compile. */
import { CallError, Client, ConnectOptions, PlexusError, Reply, ServiceIs, Status, TraceIs, Types, connect } from 'plexus';

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
