// A large request needs no round trips on its way in: the gRPC door tells each client at once that much may be sent.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:http2';
import { test } from 'node:test';
import { widenWindows, windowBytes } from '../../runtime/doors/grpc/windows.js';
import { openGrpc } from './grpc-client.js';

test('a client may send a megabyte for a call, and for all its calls together more', async () => {
  const scene = await openGrpc();
  const session = connect(`http://127.0.0.1:${scene.port}`);
  try {
    const [settings] = await once(session, 'remoteSettings');
    assert.equal(settings.initialWindowSize, windowBytes.call);
    // What the server said before its answer to a ping has been heard with it.
    await new Promise<void>((resolve) => session.ping(() => resolve()));
    assert.equal(session.state.remoteWindowSize, windowBytes.connection);
  } finally {
    session.close();
    await scene.stop();
  }
});

test('a server of another make keeps its windows', () => {
  const other = { listen: () => {} };
  widenWindows(other);
  assert.deepEqual(Object.keys(other), ['listen']);
});
