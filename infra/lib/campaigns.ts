import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { parse } from 'smol-toml';

/** What a folder of campaigns is relative to. */
const PROJECT = join(import.meta.dirname, '../..');

/** What the campaigns ask of Amazon Bedrock. */
export interface AskedOfBedrock {
  /** Who asks: the names of all campaigns. */
  readonly campaigns: readonly string[];
  /** Models and inference profiles, by id or ARN, each once. */
  readonly models: readonly string[];
  /** Guardrails, by id or ARN, each once. */
  readonly guardrails: readonly string[];
}

/** The folder of campaigns that has this name; without one, the project's own. */
export function campaignsFolder(named = 'campaigns'): string {
  const folder = resolve(PROJECT, named);
  if (named === '' || !isFolder(folder)) {
    const remedy = `name one by CAMPAIGNS=DIR, absolute or relative to ${PROJECT}`;
    throw new Error(`there is no folder of campaigns "${named}": ${remedy}`);
  }
  return folder;
}

/**
 * Reads the `campaign.toml` of each campaign in `folder`, as far as permissions depend on it;
 * `ops campaigns check` says what else may be wrong with one.
 */
export function askedOfBedrock(folder: string): AskedOfBedrock {
  const models = new Set<string>();
  const guardrails = new Set<string>();
  const files = campaignFiles(folder);
  for (const file of files) {
    const campaign = parse(readFileSync(file, 'utf8'));
    models.add(text(campaign['model_id'], file, 'model_id'));
    const guardrail = campaign['guardrail'];
    if (guardrail !== undefined) {
      const { id } = guardrail as { id?: unknown };
      guardrails.add(text(id, file, 'guardrail.id'));
    }
  }
  const campaigns = files.map((file) => basename(dirname(file)));
  return { campaigns: campaigns.sort(), models: [...models].sort(), guardrails: [...guardrails].sort() };
}

/** One of each folder that the programs take for a campaign: links count, hidden folders do not. */
function campaignFiles(folder: string): string[] {
  const files = readdirSync(folder)
    .filter((name) => !name.startsWith('.') && isFolder(join(folder, name)))
    .map((name) => join(folder, name, 'campaign.toml'));
  const missing = files.filter((file) => !existsSync(file));
  if (files.length === 0 || missing.length > 0) {
    throw new Error(`${missing[0] ?? join(folder, '*/campaign.toml')} is not there`);
  }
  return files;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function text(value: unknown, file: string, setting: string): string {
  if (typeof value !== 'string' || value === '') {
    throw new Error(`${file}: ${setting} is no text`);
  }
  return value;
}
