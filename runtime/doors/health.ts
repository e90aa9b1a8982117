// A door for probes alone, for nodes of any role: whether the process is alive, and whether it is ready, with the sentence why
// not. Where a node has a router its other doors say the same.
import { createServer, type ServerResponse } from 'node:http';
import { type Door, type DoorLog, type DoorOptions, listenFault } from './door.js';

export interface Condition {
  /** Empty when it is ready. */
  readonly reason: string;
  /** How far its list of members can be trusted, where that is not in full. */
  readonly doubt?: { readonly membership: string; readonly reason: string };
}

const bodiless = new Set(['GET', 'HEAD']);
const answerMs = 5000;

export function createHealthDoor(
  look: () => Condition,
  { host, port }: Pick<DoorOptions, 'host' | 'port'>,
  log: DoorLog,
): Door {
  const server = createServer({ requestTimeout: answerMs, headersTimeout: answerMs }, (request, response) => {
    const [path = ''] = (request.url ?? '').split('?');
    // Nobody has a body to send here, and none is waited for.
    request.resume();
    if (!bodiless.has(request.method ?? '')) {
      response.setHeader('allow', 'GET, HEAD');
      return answer(response, 405, { error: `${path} is asked with GET` });
    }
    if (path === '/v2/health/live') return answer(response, 200, { live: true });
    if (path === '/v2/health/ready') return answerReady(response, look());
    answer(response, 404, { error: 'this port has /v2/health/live and /v2/health/ready, and nothing else' });
  });
  return {
    start: () =>
      new Promise((resolve, reject) => {
        server.once('error', (fault) => reject(listenFault(fault, host, port, '--health-port')));
        server.listen(port, host, () => {
          const address = server.address();
          server.removeAllListeners('error');
          server.on('error', (fault) => log.error('door.failed', { door: 'health', error: fault.message }));
          resolve({ port: typeof address === 'object' && address !== null ? address.port : port });
        });
      }),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answerReady(response: ServerResponse, { reason, doubt }: Condition): void {
  if (reason === '') return answer(response, 200, { ready: true, ...doubt });
  const unsure = doubt === undefined ? '' : `; its list of members is ${doubt.membership}: ${doubt.reason}`;
  answer(response, 503, { error: `the node is not ready: ${reason}${unsure}` });
}

function answer(response: ServerResponse, status: number, body: Readonly<Record<string, unknown>>): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
