// What the command line says to the person who typed the command. Everything else goes to the log.

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function printError(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Whether a person is likely to read what is printed. */
export function isTerminal(): boolean {
  return process.stdout.isTTY === true;
}
