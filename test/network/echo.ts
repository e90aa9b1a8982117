// Somebody in a network namespace who answers each datagram with itself and how many came before it.
import { createSocket } from 'node:dgram';

const socket = createSocket('udp4');
let count = 0;
socket.on('message', (datagram, { port, address }) => {
  const answer = Buffer.alloc(8);
  datagram.copy(answer, 0, 0, 4);
  answer.writeUInt32LE(count++, 4);
  socket.send(answer, port, address);
});
socket.bind(0, process.argv[2], () => process.send?.(socket.address().port));
process.on('message', () => process.send?.('here'));
process.on('disconnect', () => process.exit());
