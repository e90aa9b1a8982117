// What tests with a real NATS need to know: where a server is, or why they are skipped.
import { findServer, howToGetOne } from './find.js';

const found = findServer();

export const executable = found?.path ?? '';
export const skip: string | false =
  found === undefined ? `${howToGetOne}; \`npm run nats -- --find\` does` : false;
