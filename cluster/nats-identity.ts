// Whom a node takes for NATS over TLS: the certificate is to be for the address that was dialled, or for the name that it was
// found by.
import { isIP } from 'node:net';
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

interface Dialled {
  readonly servers: readonly string[];
  readonly tls: object | undefined;
}

/** These say nothing of certificates, and are better not had twice. */
const beyondTls = ['AUTHORIZATION_VIOLATION', 'AUTHENTICATION_EXPIRED', 'TIMEOUT'];
const noTls = 'SERVER_OPT_NA';

/**
 * Where the node asks for no TLS and the server does, the library takes no options for it, and those for TLS it takes from no
 * server without: so one that fails at an address without a name is dialled once more, with them.
 */
export async function dialByAddress<O extends Dialled, T>(
  options: O,
  dial: (options: O) => Promise<T>,
): Promise<T> {
  const codeOf = (fault: unknown): string => (fault as { code?: string } | undefined)?.code ?? '';
  try {
    return await dial(options);
  } catch (fault) {
    const { servers, tls } = options;
    if (tls !== undefined || !servers.some(isNumbered) || beyondTls.includes(codeOf(fault))) throw fault;
    return dial({ ...options, tls: {} }).catch((second: unknown) => {
      throw codeOf(second) === noTls ? fault : second;
    });
  }
}

function isNumbered(server: string): boolean {
  const [, host = ''] = /^\w+:\/\/\[?(.+?)\]?(?::\d+)?$/.exec(server) ?? [];
  return isIP(host) !== 0;
}
