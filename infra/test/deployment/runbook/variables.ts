import type { Command } from './commands.js';

/** What the runbook's table says that a person must set. */
export function explained(page: string): string[] {
  const [, table = ''] = /\n\| variable \| is \|\n([\s\S]*?)\n\n/.exec(page) ?? [];
  return [...table.matchAll(/^\| (.*?) \|/gm)].flatMap(([, cell = '']) => cell.match(/[A-Z_]+/g) ?? []);
}

/** Variables that commands use and nobody sets: none of `known`, and none that a command of `setters` assigns. */
export function unset({ text }: Command, known: readonly string[], setters: readonly Command[]): string[] {
  const assigned = setters.flatMap((each) =>
    [...each.text.matchAll(/(?:^|\s)(?:for )?(\w+)(?:=| in )/g)].map(([, name = '']) => name),
  );
  const used = [...text.matchAll(/\$\{?([A-Za-z_]+)/g)].map(([, name = '']) => name);
  return used.filter((name) => !known.includes(name) && !assigned.includes(name));
}

/** The targets of make that commands name. */
export function targets(commands: readonly Command[]): string[] {
  return commands.flatMap(({ text }) => [...text.matchAll(/\bmake (?:-s )?([a-z][a-z-]*)/g)].map(([, name = '']) => name));
}
