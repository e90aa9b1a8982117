// The other side of the post's benchmark, in a process of its own: `echo.js ENDPOINT ID` answers each job with a batch.
import { PostOffice } from '../../../runtime/post/office.js';
import { zeromqTransport } from '../../../runtime/post/zeromq.js';

const [endpoint = '', id = ''] = process.argv.slice(2);
const office = new PostOffice({
  self: id,
  announcement: () => ({
    type: 'member.announced',
    cluster: 'bench',
    member: [id, ['scheduler'], '', ''],
    build: '',
  }),
  transport: zeromqTransport(),
  events: {
    delivered: (from, message) => {
      if (message.type !== 'job.enqueue') return;
      const { job, attempt } = message;
      office.send(from, {
        type: 'batch.assign',
        batch: job,
        worker: 'worker-1.cccccc',
        epoch: 1,
        solo: false,
        jobs: [job],
        attempts: [attempt],
        costMs: 0,
        transportMs: 0,
      });
    },
    opened: () => {},
    lost: () => {},
    refused: () => {},
    dropped: () => {},
    failed: (what, error) => {
      throw new Error(what, { cause: error });
    },
  },
});
office.dial(endpoint);
process.on('disconnect', () => process.exit(0));
