/* Calls the services of a running Plexus through its door. README.md begins with an example; index.d.ts says what everything
 * means. */
export { connect } from './lib/client.js';
export { CallError, ConnectError, PlexusError, Status, TypesError } from './lib/errors.js';
export { Reply, Types } from './lib/messages.js';
