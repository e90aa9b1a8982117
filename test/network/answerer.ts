// Bare TCP, to hold ours against: somebody in a network namespace who sends back what comes, a while later.
import { createServer } from 'node:net';

const [address, workMs = '0'] = process.argv.slice(2);
const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => {});
  socket.on('data', (bytes) => setTimeout(() => socket.write(bytes), Number(workMs)));
});
server.listen(0, address, () => process.send?.((server.address() as { port: number }).port));
process.on('disconnect', () => process.exit());
