// The environment of the process, read in this folder alone.

export function environment(): Readonly<Record<string, string | undefined>> {
  return process.env;
}
