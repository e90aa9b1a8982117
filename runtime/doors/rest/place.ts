// What is served under a path, and by which method.
type Method = 'GET' | 'POST' | 'any';

export interface Place {
  readonly method: Method;
  serve(): void;
}

export function get(run: () => void): Place {
  return { method: 'GET', serve: run };
}
