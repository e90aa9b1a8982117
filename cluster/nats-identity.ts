// Whom a node takes for NATS over TLS: the certificate is to be for the address that was dialled, or for the name that it was
// found by.
import { type ConnectionOptions, checkServerIdentity } from 'node:tls';

/**
 * For an address without a name the library gives TLS none, and Node would look for "localhost" in the certificate. These options
 * the library hands on to Node, which calls this as a method of all options of the connection.
 */
export const natsIdentity: Pick<ConnectionOptions, 'checkServerIdentity'> = {
  checkServerIdentity(this: ConnectionOptions, host, certificate) {
    const { remoteAddress } = this.socket as { remoteAddress?: string };
    return checkServerIdentity(
      this.servername || (remoteAddress ?? `no address, called ${host}`),
      certificate,
    );
  },
};
