// Style as a test: the habits of the design hold in every file, and each rule is shown to find what breaks it.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { errors } from '../proto/errors.js';
import { messages, retired } from '../proto/messages.js';
import { rootEntries, rootRequired } from './tidy/names.js';
import { planted } from './tidy/planted.js';
import { medianLines } from './tidy/shape.js';
import { type Finding, isCode, readSources, stripped, unmatchedBracket } from './tidy/source.js';
import { errorsRaised, listedInReadme, messageNumbers } from './tidy/tables.js';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const sources = readSources(root);
const readme = sources.find((source) => source.path === 'README.md')?.text ?? '';
const message = { number: 1, type: 'job.enqueue' };

function assertTidy(findings: readonly Finding[]): void {
  assert.deepEqual(
    findings.map(({ path, line, says }) => `${path}:${line}: ${says}`),
    [],
  );
}

describe('the project is tidy', () => {
  for (const { rule } of planted) test(rule.name, () => assertTidy(rule(sources)));
  test('the rules read every file rightly', () => {
    const misread = sources.filter((source) => isCode(source) && unmatchedBracket(stripped(source.text)) > 0);
    assert.deepEqual(
      misread.map(({ path, text }) => `${path}:${unmatchedBracket(stripped(text))}`),
      [],
    );
  });
  test('rootEntries', () => assertTidy(rootEntries(readdirSync(root))));
  test('messageNumbers', () => assertTidy(messageNumbers(messages, retired)));
  test('errorsRaised', () => assertTidy(errorsRaised(Object.keys(errors), sources)));
  test('the README lists every error with its statuses', () => {
    const expected = Object.entries(errors).map(
      ([code, { grpc, http, retryable }]) =>
        [code, [grpc, ` ${http} `, retryable ? ' yes ' : ' no ']] as const,
    );
    assertTidy(listedInReadme(readme, /^Errors/i, new Map(expected)));
  });
  test('the median file is reported', (context) => {
    context.diagnostic(`median of the production files: ${medianLines(sources)} lines`);
    assert.ok(medianLines(sources) > 0);
  });
});

describe('a planted violation is found', () => {
  for (const { rule, bad, good } of planted) {
    test(rule.name, () => {
      for (const project of bad) {
        const found = rule(project);
        const shown = project.map(({ path, text }) => `${path}: ${text.slice(0, 200)}`).join('\n');
        assert.equal(found.length, 1, `${JSON.stringify(found)} in\n${shown}`);
      }
      assertTidy(rule(good));
    });
  }

  test('rootEntries', () => {
    assertTidy(rootEntries([...rootRequired, '.gitignore', 'node_modules', 'dist']));
    assert.equal(rootEntries([...rootRequired, 'src']).length, 1);
    assert.equal(rootEntries(rootRequired.slice(1)).length, 1);
  });

  test('messageNumbers', () => {
    assertTidy(messageNumbers({ jobEnqueue: message }, [2]));
    const findings = (...given: Parameters<typeof messageNumbers>): number => messageNumbers(...given).length;
    assert.equal(findings({ jobEnqueue: message, jobEnded: { number: 1, type: 'job.ended' } }, []), 1);
    assert.equal(findings({ jobEnqueue: message }, [1]), 1);
    assert.equal(findings({ jobEnqueue: { number: 0, type: 'job.enqueue' } }, []), 1);
    assert.equal(findings({ enqueue: { number: 1, type: 'job.enqueue' } }, []), 1);
    assert.equal(findings({ enqueue: { number: 1, type: 'enqueue' } }, []), 1);
    assert.equal(findings({ jobEnqueue: message }, [2, 2]), 1);
  });

  test('errorsRaised', () => {
    const raising = { path: 'runtime/a.ts', text: "throw new SignalboxError('QUEUE_FULL', 'full');" };
    const table = { path: 'proto/errors.ts', text: "row('DRAINING')" };
    assertTidy(errorsRaised(['QUEUE_FULL'], [raising, table]));
    assert.equal(errorsRaised(['QUEUE_FULL', 'DRAINING'], [raising, table]).length, 1);
  });

  test('listedInReadme', () => {
    const expected = new Map([['QUEUE_FULL', ['429']]]);
    const text =
      '## Errors\n| code | HTTP |\n|---|---|\n| `QUEUE_FULL` | 429 |\n## Limits\n| `other` | 1 |\n';
    assertTidy(listedInReadme(text, /^Errors/, expected));
    assert.equal(listedInReadme(text.replace('429', '500'), /^Errors/, expected).length, 1);
    assert.equal(listedInReadme(text.replace('## Limits\n', ''), /^Errors/, expected).length, 1);
    assert.equal(listedInReadme('# Errors\n', /^Errors/, expected).length, 1);
  });
});
