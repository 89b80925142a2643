import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What a person is told to type. */
export interface Command {
  /** The heading above it. */
  readonly chapter: string;
  /** As it is typed: one line, or a block of them. */
  readonly text: string;
}

/** Programs that are typed; what else stands between backticks is a name or a word. */
const TYPED = /^(aws|curl|make|ops) /;

/** The page that operators read at night. */
export function runbook(): string {
  return readFileSync(join(import.meta.dirname, '../../../../docs/runbook.md'), 'utf8');
}

/** The commands of a page in its order: each indented block is one, and so is each program between backticks. */
export function commands(page: string): Command[] {
  let chapter = '';
  return parts(page).flatMap((lines) => {
    const [first = ''] = lines;
    chapter = /^#+ (.+)$/.exec(first)?.[1] ?? chapter;
    const texts = isBlock(first) ? [dedented(lines)] : inline(lines);
    return texts.map((text) => ({ chapter, text }));
  });
}

/** A command as a shell takes it: `ops X` is short for a target of make. */
export function typed(text: string): string {
  return text.replace(/^ops (.*)$/s, 'make -s ops ARGS="$1"');
}

/** What blank lines part. */
function parts(page: string): string[][] {
  return page
    .split(/\n(?:[ \t]*\n)+/)
    .map((part) => part.split('\n').filter((line) => line !== ''))
    .filter((lines) => lines.length > 0);
}

/** Lists are indented by three; what stands deeper after a blank line is typed. */
function isBlock(first: string): boolean {
  return /^ {4}/.test(first);
}

function dedented(lines: readonly string[]): string {
  const depth = Math.min(...lines.map((line) => line.search(/\S/)));
  return lines.map((line) => line.slice(depth)).join('\n');
}

function inline(lines: readonly string[]): string[] {
  const text = lines.join(' ').replaceAll(/\s+/g, ' ');
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code).filter((code) => TYPED.test(code));
}
