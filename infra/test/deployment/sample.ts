import avsc from 'avsc';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';

import { program } from './paths.js';

/** So few that the quota of the stage lets all be answered within a minute. */
const EVENTS = 80;
const USERS = 12;

/** Files as Braze writes them, and what they should lead to. */
export interface Sample {
  /** Keys in the bucket, with the files. */
  readonly files: ReadonlyMap<string, string>;
  /** Users who should get content. */
  readonly viewers: readonly string[];
}

interface Event {
  readonly user_id: string;
  readonly name?: string;
}

/**
 * Makes the files, other ones of other users for each `seed`, and reads with another library who
 * watched an episode and was not deleted.
 */
export async function sample(folder: string, seed: number): Promise<Sample> {
  const size = ['--events', EVENTS, '--users', USERS];
  const options = [...size, '--seed', seed, '--codec', 'deflate', '--out', folder];
  execFileSync(program('loadtest'), ['generate', ...options.map(String)], { stdio: 'pipe' });
  const names = readdirSync(folder, { encoding: 'utf8', recursive: true });
  const files = names.filter((name) => name.endsWith('.avro')).map((name) => join(folder, name));
  const viewers = new Set<string>();
  const deleted = new Set<string>();
  for (const file of files) {
    for (const event of await events(file)) {
      if (file.includes('event_type=users.UserDeleteRequest/')) {
        deleted.add(event.user_id);
      } else if (event.name === 'episode_watched') {
        viewers.add(event.user_id);
      }
    }
  }
  return {
    files: new Map(files.map((file) => [relative(folder, file), file])),
    viewers: [...viewers].filter((user) => !deleted.has(user)),
  };
}

async function events(file: string): Promise<Event[]> {
  const found: Event[] = [];
  const decoder = avsc.createFileDecoder(file);
  decoder.on('data', (event: Event) => found.push(event));
  await once(decoder, 'end');
  return found;
}
