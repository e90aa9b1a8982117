// Why a node is not drained, for people: what nobody else could do or has, who else might have, and what to do.
import type { MemberId, Role } from '../../proto/ids.js';

const shownMost = 5;
const inWords: Readonly<Record<Role, string>> = {
  router: 'takes requests (router)',
  scheduler: 'places jobs (scheduler)',
  health: 'watches over the others (health)',
  host: 'has workers',
  worker: 'is a worker',
};

export interface Lack {
  /** Others that would do, each with why it does not. */
  readonly others: readonly string[];
}

export function neededText(node: MemberId, lacks: readonly (Lack & { readonly role: Role })[]): string {
  const what = lacks.map(({ role }) => inWords[role]).join(', and ');
  const others = othersText(lacks);
  return `${node} is the last serving node that ${what}: requests would find nobody${others}. ${wayOut(others, 'Start another')} first, or use force`;
}

export function loneText(node: MemberId, lacks: readonly (Lack & { readonly model: string })[]): string {
  const models = listed(lacks.map(({ model }) => model));
  const others = othersText(lacks);
  const start = 'Start a node that has or takes it';
  return `only workers of ${node} have ${models}, and no other serving node can take it: requests for it would find nobody${others}. ${wayOut(others, start)} first, or use force`;
}

export function uncheckedText(node: MemberId, mute: readonly string[]): string {
  return `no scheduler could tell whether others have the models of ${node} (${listed(mute, '; ')}): try again in a moment, or use force`;
}

function othersText(lacks: readonly Lack[]): string {
  const others = [...new Set(lacks.flatMap((lack) => lack.others))];
  return others.length === 0 ? '' : ` (${listed(others, '; ')})`;
}

function wayOut(others: string, start: string): string {
  return / is drain(ed|ing)\b/.test(others) ? `${start}, or undrain one that is drained,` : start;
}

export function listed(some: readonly string[], between = ', ', most = shownMost): string {
  const shown = some.slice(0, most).join(between);
  return some.length > most ? `${shown} and ${some.length - most} more` : shown;
}
