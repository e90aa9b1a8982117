// Structured logs: one JSON object a line, an event name and its fields. The only file that knows the logger.
import { pino } from 'pino';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';
export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  /** False when a line of that level would go nowhere. */
  takes(level: Exclude<LogLevel, 'silent'>): boolean;
}

/** Lines are written at once, so that those before a crash are not lost. */
export function createLog(level: LogLevel, member: string): Log {
  const target = pino.destination({ dest: 1, sync: true });
  const logger = pino(
    { level, base: { process: member }, timestamp: pino.stdTimeFunctions.isoTime, messageKey: 'event' },
    target,
  );
  return {
    debug: (event, fields = {}) => logger.debug(fields, event),
    info: (event, fields = {}) => logger.info(fields, event),
    warn: (event, fields = {}) => logger.warn(fields, event),
    error: (event, fields = {}) => logger.error(fields, event),
    takes: (wanted) => logger.isLevelEnabled(wanted),
  };
}
