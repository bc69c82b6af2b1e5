/* Calls the services of a running Plexus through its door, and is one. README.md begins with an example; index.d.ts says what
 * everything means. */
export { connect } from './lib/client.js';
export { CallError, ConnectError, PlexusError, Refusal, Status, TypesError } from './lib/errors.js';
export { provideHttp } from './lib/http.js';
export { Reply, Types } from './lib/messages.js';
export { Answer, provide } from './lib/service.js';
