import { cpSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { Emulator } from '../emulator.js';
import { CAMPAIGNS } from '../paths.js';
import { STAGE } from '../stack.js';
import { type Command, commands, runbook, typed } from './commands.js';
import { type Run, fate } from './fates.js';
import { FAULTS } from './faults.js';
import { Shell } from './shell.js';

/** A deployment that has been used. */
export interface Used {
  readonly emulator: Emulator;
  /** A place for files. */
  readonly folder: string;
  /** Files of Currents that were read, and a user in them who has content. */
  readonly events: string;
  readonly user: string;
}

const HOUR_MS = 3_600_000;

/** Types every command of the runbook in its order, each chapter's with its fault on. */
export function tryRunbook(used: () => Used): void {
  describe('the runbook', () => {
    let shell: Shell;

    beforeAll(() => {
      const { emulator, folder } = used();
      const at = join(folder, 'night');
      mkdirSync(join(at, 'kept'), { recursive: true });
      shell = Shell.open(emulator, at, variables(used(), at));
    });

    for (const [chapter, all] of byChapter(commands(runbook()))) {
      const runs = all.flatMap(({ text }) => {
        const found = fate(text);
        return found !== undefined && 'says' in found ? [[text, found] as const] : [];
      });
      if (runs.length === 0) {
        continue;
      }
      test(chapter, async () => {
        const scene = { emulator: used().emulator, shell };
        const { begins, ends } = FAULTS[chapter] ?? {};
        await begins?.(scene);
        for (const [text, run] of runs) {
          await tryCommand(shell, text, run);
        }
        await ends?.(scene);
      });
    }

    afterAll(() => rmSync(join(used().folder, 'night'), { recursive: true, force: true }));
  });
}

async function tryCommand(shell: Shell, text: string, { asks = false, ends = 0, says, tells = {} }: Run): Promise<void> {
  const { code, text: said } = await shell.type(typed(text).replace('STAGE=prod', `STAGE=${STAGE}`), asks);
  const heard = withoutWarnings(said);
  expect.soft(code, `${text}\n${said}`).toBe(ends);
  expect.soft(heard, text).toMatch(says);
  for (const [name, where] of Object.entries(tells)) {
    const [, value = ''] = where.exec(heard) ?? [];
    await shell.must(`${name}=${value}`);
  }
}

/** What only a person knows. */
function variables({ events, user }: Used, folder: string): Record<string, string> {
  const [, model = ''] = /^model_id = "(.+)"$/m.exec(readFileSync(join(CAMPAIGNS, 'new-episode/campaign.toml'), 'utf8')) ?? [];
  const campaigns = join(folder, 'campaigns');
  cpSync(CAMPAIGNS, campaigns, { recursive: true });
  return {
    BRAZE_ID: user,
    CAMPAIGN: 'new-episode',
    CAMPAIGNS: campaigns,
    EVENTS: events,
    FROM: new Date(Date.now() - HOUR_MS).toISOString(),
    KEEP: join(folder, 'kept'),
    MODEL: model,
    // The stand-in puts it into every text.
    WORDS: 'stand-in',
    TO: new Date(Date.now() + HOUR_MS).toISOString(),
  };
}

function byChapter(all: readonly Command[]): Map<string, Command[]> {
  const chapters = new Map<string, Command[]>();
  for (const command of all) {
    chapters.set(command.chapter, [...(chapters.get(command.chapter) ?? []), command]);
  }
  return chapters;
}

/** Without what Node.js says of its own age, where a command is a program of it. */
function withoutWarnings(said: string): string {
  return said.replace(/\(node:\d+\) [\s\S]*?was created\)\n/, '').trimEnd();
}
