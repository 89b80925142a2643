/**
 * What a deployment does, seen from outside. All of it is one file, because what takes long is to deploy,
 * and its last tests judge what all the others asked of AWS.
 */

import {
  InvokeCommand,
  LambdaClient,
  PublishVersionCommand,
  UpdateAliasCommand,
  UpdateFunctionConfigurationCommand,
} from '@aws-sdk/client-lambda';
import { DeleteObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { GetQueueAttributesCommand, ListQueuesCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import ofJobs from '../../../contract/golden/jobs-event.json' with { type: 'json' };
import requests from '../../../contract/golden/requests.json' with { type: 'json' };
import { DEV, example } from '../example.js';
import { givenUp, OFFERS, record, TENT, watched } from './by-hand.js';
import { posted, states } from './canary.js';
import { needless, needlessReasons, superfluous, unlisted, unseen } from './comparison.js';
import { deploy, type Outputs } from './deployment.js';
import { Emulator } from './emulator.js';
import { Operator, rollback } from './ops.js';
import { tryRunbook } from './runbook/chapters.js';
import { type Sample, sample } from './sample.js';
import { until } from './until.js';

/** So long functions may take to see what holds. */
const FOLLOWED_MS = 31_000;

const folder = mkdtempSync(join(tmpdir(), 'deployment-'));
let emulator: Emulator | undefined;
let outputs: Outputs;
let files: Sample;
let moreFiles: Sample;
let credentials: string;
let token: string;
let operator: Operator;

beforeAll(async () => {
  files = await sample(join(folder, 'files'), 1);
  moreFiles = await sample(join(folder, 'more'), 2);
  emulator = await Emulator.start(folder);
  outputs = await deploy(emulator, folder);
  operator = await Operator.of(emulator);
  const generated = await generatedSecret(emulator, outputs.secretArn);
  credentials = basic(generated.username, generated.password);
  token = (await generatedSecret(emulator, outputs.eventsSecretArn)).password;
});

afterAll(async () => {
  await emulator?.stop();
  rmSync(folder, { recursive: true, maxRetries: 3 });
});

afterEach(({ task }) => {
  if (task.result?.state === 'fail') {
    console.error(emulator?.said());
  }
});

test('what Braze uploads can be read as content at the address that was deployed', async () => {
  expect(files.viewers.length).toBeGreaterThan(1);
  await upload(files);

  for (const user of files.viewers) {
    await expectContent(user);
  }
});

test('what nobody can answer now waits as an ask, and a worker that the clock starts answers it', async () => {
  const known = new Set(files.viewers);
  const viewers = moreFiles.viewers.filter((user) => !known.has(user));
  expect(viewers.length).toBeGreaterThan(1);
  await emulator!.loseModel();
  await upload(moreFiles);
  const asks = (await queues()).filter((url) => url.includes('-Asks'));

  await until('asks wait', async () => ((await sum(asks)) > 0 ? true : undefined));
  await emulator!.regainModel();

  for (const user of viewers) {
    await expectContent(user);
  }
});

test('a catalog that is dropped into the bucket, and a message through POST /events, become content', async () => {
  await put(OFFERS, `${JSON.stringify(TENT)}\n`);
  await taken();
  const user = '5f1a0c9e7d3b2a46881e00ff';
  const message = { user_id: user, campaign: 'offer', properties: { id: 'tent' }, attributes: { first_name: 'Ada' } };

  expect(await post(message, 'guessed')).toEqual({ status: 401, body: { error: expect.any(String) } });
  expect(await post(message, token)).toEqual({ status: 200, body: { accepted: 2 } });

  const content = await until('there is content for the message', async () => {
    const { body } = await lookUp(user, credentials, 'offer');
    return body.Item?.source === undefined ? body.Item : undefined;
  });
  expect(content.data.M.url.S).toBe(TENT.url);
  expect(await post({ user_id: user }, token)).toMatchObject({ status: 400, body: { accepted: 0 } });
});

test('what the canary posts becomes content that it is served, and both are counted under its campaign', async () => {
  const { template } = example({ ...DEV, canary: { campaign: 'canary' } });
  // Step Functions' part, which MiniStack does not play.
  const [machine, time] = [states(template), new Date().toISOString().replace(/\.\d+/, '')];
  const { user_id, campaign } = machine['LookUp']?.Parameters?.['QueryParameters'];
  const counted = async (logGroup: string, metric: string) =>
    (await operator.lines(logGroup, 'campaign', campaign)).some((line) => metric in line);

  expect((await lookUp(user_id, credentials, campaign)).body.Item.source).toEqual({ S: 'fallback' });
  expect(await post(posted(machine, { id: 'tick-1', time }), token)).toEqual({ status: 200, body: { accepted: 1 } });

  const content = await until('there is content for the canary', async () => {
    const { body } = await lookUp(user_id, credentials, campaign);
    return body.Item?.source === undefined ? body.Item : undefined;
  });
  expect(content.data.M.time.S).toBe(time);
  expect(content.data.M.word.S).toMatch(/^\[stand-in\] /);
  await until('contents_stored is counted for the canary', async () =>
    (await counted('PROCESSOR_LOG_GROUP', 'contents_stored')) ? true : undefined,
  );
  await until('contents_served is counted for the canary', async () => {
    // An instance that nobody calls writes nothing more.
    await lookUp(user_id, credentials, campaign);
    return (await counted('API_LOG_GROUP', 'contents_served')) ? true : undefined;
  });
});

test('every file was read, nothing waits, and nothing was given up on the way', async () => {
  const urls = await queues();
  const isGivenUp = (url: string) => /DeadLetters|GivenUp/.test(url);
  const [givenUp, waiting] = [urls.filter(isGivenUp), urls.filter((url) => !isGivenUp(url))];
  // Those of the notifications, of asks for later, of asks for a job, and of asks by priority.
  expect([givenUp.length, waiting.length]).toEqual([2, 1 + 1 + 1 + 3]);

  await until('every notification and every ask was handled', async () =>
    (await sum(waiting)) === 0 ? true : undefined,
  );

  expect(await sum(givenUp)).toBe(0);
  expect(await operator.ops('letters', 'list')).toBe('0 letters\n');
});

test('campaigns are published, recalled, paused and put back without a deployment', async () => {
  const campaigns = join(folder, 'published');
  cpSync(join(folder, 'campaigns'), campaigns, { recursive: true });
  const publish = ['campaigns', 'publish', '--campaigns', campaigns, '--unknown-events', '--yes'];
  const change = (file: string, from: string, to: string) => {
    const path = join(campaigns, file);
    const text = readFileSync(path, 'utf8');
    expect(text).toContain(from);
    writeFileSync(path, text.replace(from, to));
  };
  const operate = (...args: string[]) => operator.ops(...args);
  const wish = (user: string) => ({ user_id: user, campaign: 'offer', properties: { id: 'tent' } });
  const offered = async (user: string) => (await lookUp(user, credentials, 'offer')).body.Item;
  const own = (user: string) =>
    until(`${user} has an offer`, async () => {
      const item = await offered(user);
      return item?.source === undefined ? item : undefined;
    });
  const fallback = (heading: string) =>
    until(`fallback content is ${heading}`, async () => {
      const item = await offered('5f1a0c9e7d3b2a46881effff');
      return item?.data.M.heading.S === heading ? true : undefined;
    });
  const before = '5f1a0c9e7d3b2a46881e00ff';
  expect((await offered(before))?.source).toBeUndefined();

  await operate(...publish);
  change('offer/fallback.json', 'Offers', 'Our offers');
  change('offer/prompt.liquid', 'offer: {{', 'our offer: {{');
  const published = await operate(...publish);
  expect(published).toContain('offer/prompt.liquid');
  expect(published).toContain('offer: its prompts change, so each is asked anew from now on;\n    1 contents stay');
  expect(published).not.toContain('Not held against');
  await fallback('Our offers');
  await followed();
  // Who reads files takes the version over as well.
  await put(OFFERS, `${JSON.stringify(TENT)}\n`);
  expect((await post(wish('5f1a0c9e7d3b2a46881e0101'), token)).status).toBe(200);
  await own('5f1a0c9e7d3b2a46881e0101');

  const below = ['recall', '--campaign', 'offer', '--below', '2', '--yes'];
  const recalled = operate(...below, '--regenerate');
  await until('what was written before is recalled', async () =>
    (await offered(before))?.source === undefined ? undefined : true,
  );
  expect(await recalled).toMatch(/^1 of 2 contents, such as of 5f1a0c9e7d3b2a46881e00ff;/m);
  expect(await recalled).toContain('Sent 1 asks.');
  await own(before);
  const shown = JSON.parse(await operate('show', before, '--json', '--campaign', 'offer'));
  expect(shown.items['content#offer'].publication).toBe(2);
  expect(shown.items['content#offer'].data).toBe('(--values shows it)');
  expect((await offered('5f1a0c9e7d3b2a46881e0101'))?.source).toBeUndefined();

  await operate('campaigns', 'pause', 'offer', '--yes');
  await operate('campaigns', 'put-back', '1', '--yes');
  await fallback('Offers');
  await followed();
  expect((await post(wish('5f1a0c9e7d3b2a46881e0102'), token)).status).toBe(200);
  const asks = (await queues()).filter((url) => url.includes('-Asks'));
  await until('the paused offer waits', async () => ((await sum(asks)) > 0 ? true : undefined));
  expect((await offered('5f1a0c9e7d3b2a46881e0102'))?.source).toEqual({ S: 'fallback' });
  await operate('campaigns', 'resume', 'offer', '--yes');
  const versions = await operate('campaigns', 'versions');
  expect(versions.match(/holds/g)).toHaveLength(1);
  expect(versions).toContain('offer: recalled');
});

test('a user is erased through the stream, and the evidence says so without their id', async () => {
  const user = '5f1a0c9e7d3b2a46881e00ff';
  const evidence = join(folder, 'evidence.json');

  const said = await operator.ops('erase', user, '--yes', '--evidence', evidence);

  expect(said).toContain('Done: what happened up to');
  const kept = readFileSync(evidence, 'utf8');
  expect(JSON.parse(kept)).toMatchObject({ done: true, before: { contents: 1 }, after: { contents: 0 } });
  expect(kept).not.toContain(user);
  const shown = await operator.ops('show', user);
  expect(shown).toMatch(/^deleted at .*: what happened before is refused$/m);
  expect((await lookUp(user, credentials, 'offer')).body.Item.source).toEqual({ S: 'fallback' });
});

test('a version of the api that starts no more is rolled back, and forth again, by the stage alone', async () => {
  const lambda = new LambdaClient(emulator!.client);
  const FunctionName = operator.named('API_FUNCTION');
  const answers = async () => (await lookUp('ffffffffffffffffffffffff', credentials)).status;
  await lambda.send(new UpdateFunctionConfigurationCommand({ FunctionName, Environment: { Variables: {} } }));
  const { Version: broken } = await lambda.send(new PublishVersionCommand({ FunctionName }));
  await lambda.send(new UpdateAliasCommand({ FunctionName, FunctionVersion: broken, Name: 'live' }));
  await until('the broken version is live', async () => ((await answers().catch(() => 500)) >= 500 ? true : undefined));

  expect(await rollback(emulator!, 'api', '--dry-run')).toMatch(/^api: 2 .* -> 1 /m);
  expect(await rollback(emulator!, 'api')).toMatch(/^api: 2 .* -> 1 /m);

  expect(await answers()).toBe(200);
  expect(await rollback(emulator!)).toMatch(/^ingest stays: there is no version before it$/m);
  expect(await rollback(emulator!, '--forward', '--dry-run')).toMatch(/^api: 1 .* -> 2 /m);
});

test('an operator asks for content by hand, sends again what was given up, and discards what is garbage', async () => {
  const users = ['5f1a0c9e7d3b2a46881e0201', files.viewers[0] ?? ''];
  const events = written('events.jsonl', users.map(watched));
  const campaigns = ['--campaigns', join(folder, 'campaigns')];
  await operator.ops('ask', '--campaign', 'new-episode', '--events', events, ...campaigns, '--yes');
  const given = operator.named('GIVEN_UP_BUCKET');
  await put('aws/lambda/batch', givenUp(record('5f1a0c9e7d3b2a46881e0202'), 'garbage'), given);
  expect(await operator.ops('redrive', '--bucket', given)).toContain('Sent 2 records of 1 batches again');
  const [file = ''] = files.files.keys();
  const garbage = file.replace(/[^/]*$/, 'garbage.avro');
  await put(garbage, 'garbage');
  await send('-AsksLow', 'garbage');

  await until('there is a letter from each program', () => letters(3));
  await operator.ops('letters', 'discard', '--because', 'garbage', '--archive', join(folder, 'garbage'), '--yes');
  await until('there is no letter left', () => letters(0));
  // Whoever reads files again must not come upon it.
  await remove(garbage);
  for (const user of users) {
    await expectContent(user);
  }
  const { body } = await lookUp(users[0] ?? '', credentials, 'new-episode,offer');
  expect(Object.keys(body.Items)).toEqual(['new-episode', 'offer']);
});

test('a catalog that is put again loses what is no longer in it, whoever puts it', async () => {
  for (const items of [[TENT, { ...TENT, id: 'lamp' }], [TENT]]) {
    const file = written('items.jsonl', items);
    await put(OFFERS, readFileSync(file));
    await operator.ops('catalogs', 'put', 'gifts', file);
    await taken();
  }

  expect(await operator.ops('catalogs', 'show', 'gifts', 'tent')).toContain('Tent');
  for (const catalog of ['gifts', 'offers']) {
    await expect(operator.ops('catalogs', 'show', catalog, 'lamp')).rejects.toThrow();
  }
});

test('files that lie in the bucket are read again', async () => {
  const always = ['--from', '2020-01-01T00:00:00Z', '--to', '2100-01-01T00:00:00Z'];

  const said = await operator.ops('replay', `s3://${outputs.bucket}/`, ...always, '--yes');

  expect(said).toMatch(/^Sent \d+ notifications/m);
  await taken();
});

test('a user of whom nothing is known gets fallback content', async () => {
  const { status, body } = await lookUp('ffffffffffffffffffffffff', credentials);

  expect(status).toBe(200);
  expect(body.Item.source).toEqual({ S: 'fallback' });
});

test.each([
  ['none', undefined],
  ['wrong ones', basic('braze', 'guessed')],
])('whoever sends no valid credentials learns nothing: %s', async (_, sent) => {
  const { status, body } = await lookUp(files.viewers[0] ?? '', sent);

  expect(status).toBe(401);
  expect(body.Item).toBeUndefined();
  expect(body.error.code).toBe('unauthorized');
});

test('whoever watches needs no credentials, and whoever posts does', async () => {
  const [health, posted] = await Promise.all([
    fetch(`${address()}health`),
    fetch(`${address()}events`, { method: 'POST', body: '{}' }),
  ]);

  expect(health.status).toBe(200);
  expect(JSON.parse(await health.text()).status).toBe('ok');
  // By the function here: MiniStack makes no request validators of a template.
  expect(posted.status).toBe(401);
});

test('whoever looks after jobs finds none, and asks that have gathered neither', async () => {
  const lambda = new LambdaClient(emulator!.client);
  const FunctionName = operator.named('ASKS_WORKER_FUNCTION');

  const looked = await lambda.send(new InvokeCommand({ FunctionName, Payload: JSON.stringify(ofJobs), Qualifier: 'live' }));

  expect(looked.FunctionError).toBeUndefined();
  expect(JSON.parse(Buffer.from(looked.Payload ?? []).toString())).toEqual({ batchItemFailures: [] });
});

test('programs ask of AWS what is listed, and their roles are granted all of it', () => {
  const { faults, recorded, refused } = emulator!.gate;
  const seen = recorded.listed();

  expect([...faults], 'asked for, and nobody here knows what it is').toEqual([]);
  expect([...refused], 'asked for and not granted').toEqual([]);
  expect(unlisted(seen, requests), 'asked for and not listed').toEqual([]);
  expect(unseen(seen, requests), 'listed, and neither asked for nor excused').toEqual([]);
  expect(needless(seen, requests), 'excused for nothing').toEqual([]);
});

test('no grant of a role can be left out without a request that is refused then', () => {
  const { recorded } = emulator!.gate;

  expect(superfluous(recorded, outputs.deployed), 'granted, and neither needed nor excused').toEqual([]);
  expect(needlessReasons(recorded, outputs.deployed), 'excused for nothing').toEqual([]);
});

tryRunbook(() => {
  const [user = ''] = files.viewers;
  return { emulator: emulator!, folder, events: join(folder, 'files'), user };
});

/** The api has seen what holds; so have the others a look later. */
async function followed(): Promise<void> {
  await setTimeout(FOLLOWED_MS);
}

/** Waits until a user has content of their own. */
async function expectContent(user: string): Promise<void> {
  const item = await until(`there is content for ${user}`, async () => {
    const { status, body } = await lookUp(user, credentials);
    expect(status).toBe(200);
    return body.Item.source === undefined ? body.Item : undefined;
  });

  expect(item.user_id).toEqual({ S: user });
  // Made up by the stand-in, in the shape that the campaign's schema asks for.
  expect(item.data.M.heading.S).toMatch(/^\[stand-in\] /);
  expect(item.data.M.details.M.cta.S).toMatch(/^\[stand-in\] /);
}

async function queues(): Promise<string[]> {
  const sqs = new SQSClient(emulator!.client);
  const { QueueUrls: urls = [] } = await sqs.send(new ListQueuesCommand({}));
  return urls;
}

/** Messages in queues, those among them that somebody is handling, and that are not to be handled yet. */
async function sum(urls: string[]): Promise<number> {
  const names = [
    'ApproximateNumberOfMessages',
    'ApproximateNumberOfMessagesNotVisible',
    'ApproximateNumberOfMessagesDelayed',
  ] as const;
  const sqs = new SQSClient(emulator!.client);
  const counts = urls.map(async (url) => {
    const request = { QueueUrl: url, AttributeNames: [...names] };
    const { Attributes } = await sqs.send(new GetQueueAttributesCommand(request));
    return names.reduce((all, name) => all + Number(Attributes?.[name]), 0);
  });
  return (await Promise.all(counts)).reduce((all, count) => all + count, 0);
}

async function upload({ files }: Sample): Promise<void> {
  for (const [key, file] of files) {
    await put(key, readFileSync(file));
  }
}

async function put(key: string, body: Uint8Array | string, bucket = outputs.bucket): Promise<void> {
  // Names of buckets are no names of hosts here.
  const s3 = new S3Client({ ...emulator!.client, forcePathStyle: true });
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body }));
}

/** Sends a message to the queue with this in its name. */
async function send(queue: string, body: string): Promise<void> {
  const url = (await queues()).find((each) => each.includes(queue));
  await new SQSClient(emulator!.client).send(new SendMessageCommand({ QueueUrl: url, MessageBody: body }));
}

/** Waits until every notification of an upload was handled. */
async function taken(): Promise<void> {
  const uploads = (await queues()).filter((url) => /CurrentsUploads(?!GivenUp)/.test(url));
  await until('the uploads were read', async () => ((await sum(uploads)) === 0 ? true : undefined));
}

/** Tells whether there are so many letters, for whoever waits for them. */
async function letters(count: number): Promise<true | undefined> {
  return (await operator.ops('letters', 'list')).startsWith(`${count} letters`) ? true : undefined;
}

/** A file with a line of JSON for each. */
function written(name: string, lines: object[]): string {
  const file = join(folder, name);
  writeFileSync(file, lines.map((each) => `${JSON.stringify(each)}\n`).join(''));
  return file;
}

async function remove(key: string): Promise<void> {
  const s3 = new S3Client({ ...emulator!.client, forcePathStyle: true });
  await s3.send(new DeleteObjectCommand({ Bucket: outputs.bucket, Key: key }));
}

/** What a person would enter in Braze, from the secret that the deployment generated. */
async function generatedSecret(aws: Emulator, arn: string): Promise<{ username: string; password: string }> {
  const client = new SecretsManagerClient(aws.client);
  const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: arn }));
  const { username, password } = JSON.parse(SecretString ?? '{}');
  // MiniStack does not leave punctuation out.
  expect(password).toHaveLength(40);
  return { username, password };
}

function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/** API Gateway's address; MiniStack knows the API by a path in place of a host. */
function address(): string {
  const { host, pathname } = new URL(outputs.url);
  return `${emulator!.endpoint}/_aws/execute-api/${host.split('.')[0]}${pathname}`;
}

/** Posts as Braze's webhooks do. */
async function post(message: unknown, bearer: string) {
  const headers = { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' };
  const answer = await fetch(`${address()}events`, { method: 'POST', headers, body: JSON.stringify(message) });
  return { status: answer.status, body: JSON.parse(await answer.text()) };
}

/** Asks as Braze does. */
async function lookUp(user: string, authorization?: string, campaign = 'new-episode') {
  const url = `${address()}?user_id=${user}&campaign=${campaign}`;
  const answer = await fetch(url, authorization === undefined ? {} : { headers: { authorization } });
  return { status: answer.status, body: JSON.parse(await answer.text()) };
}
