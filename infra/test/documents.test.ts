import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';

import { DEV, example, PROD } from './example.js';

/** What Lambda lets nobody reserve. */
const LEFT_BY_LAMBDA = 100;

const ROOT = join(import.meta.dirname, '../..');

const DOCUMENTS = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'quota/design.md',
  ...readdirSync(join(ROOT, 'docs')).map((name) => join('docs', name)),
].filter((name) => name.endsWith('.md'));

/** The anchors of a document, as its headings make them. */
function anchors(path: string): string[] {
  const text = readFileSync(path, 'utf8').replaceAll(/^```[\s\S]*?^```/gm, '');
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** The links of a document to files and chapters of the project. */
function links(document: string): [string, string][] {
  const text = readFileSync(join(ROOT, document), 'utf8');
  return [...text.matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)/g)].map(([, path = '', anchor = '']) => [
    path === '' ? join(ROOT, document) : join(ROOT, dirname(document), path),
    anchor,
  ]);
}

test.each(DOCUMENTS)('every link in %s leads to a file, and to a chapter that it has', (document) => {
  const broken = links(document).filter(
    ([path, anchor]) => !existsSync(path) || (anchor !== '' && !anchors(path).includes(anchor)),
  );

  expect(broken.map(([path, anchor]) => `${relative(ROOT, path)}#${anchor}`)).toEqual([]);
});

test('what a deployment tells of an account that is not set up leads to the runbook', () => {
  const runbook = join(ROOT, 'docs/runbook.md');

  expect(links('docs/deployment.md')).toContainEqual([runbook, 'not-allowed']);
});

test.each([
  ['README.md', 150],
  ['docs/architecture.md', 200],
])('%s is read to its end: it has at most %i lines', (document, most) => {
  const lines = readFileSync(join(ROOT, document), 'utf8').split('\n').length - 1;

  expect(lines).toBeLessThanOrEqual(most);
});

test.each([
  ['dev', DEV],
  ['prod', PROD],
])('the first hour says how much concurrency an account must have for %s', (stage, settings) => {
  const functions = Object.values(example(settings).template.findResources('AWS::Lambda::Function'));
  const reserved = functions.map(({ Properties }) => Properties.ReservedConcurrentExecutions ?? 0);
  const needed = reserved.reduce((sum, each) => sum + each) + LEFT_BY_LAMBDA;

  const [, said] =
    new RegExp(`^ +\\| \`${stage}\` \\| (\\d+) \\|`, 'm').exec(readFileSync(join(ROOT, 'docs/aws-first-day.md'), 'utf8')) ?? [];
  expect(Number(said)).toBe(needed);
});
