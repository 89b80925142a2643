import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { GetQueueAttributesCommand, ListQueuesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { readFileSync } from 'node:fs';

import type { Outputs } from '../deployment/deployment.js';
import type { Emulator } from '../deployment/emulator.js';
import type { Sample } from '../deployment/sample.js';
import { until } from '../deployment/until.js';

const COUNTS = [
  'ApproximateNumberOfMessages',
  'ApproximateNumberOfMessagesNotVisible',
  'ApproximateNumberOfMessagesDelayed',
] as const;

/** What Braze does: uploads files, posts, and looks content up; and what waits meanwhile. */
export class Outside {
  private constructor(
    private readonly emulator: Emulator,
    private readonly outputs: Outputs,
    private readonly basic: string,
    private readonly bearer: string,
  ) {}

  static async of(emulator: Emulator, outputs: Outputs): Promise<Outside> {
    const secrets = new SecretsManagerClient(emulator.client);
    const secret = async (SecretId: string): Promise<Record<string, string>> => {
      const { SecretString } = await secrets.send(new GetSecretValueCommand({ SecretId }));
      return JSON.parse(SecretString ?? '{}');
    };
    const { username, password } = await secret(outputs.secretArn);
    const { password: token } = await secret(outputs.eventsSecretArn);
    const basic = Buffer.from(`${username}:${password}`).toString('base64');
    return new Outside(emulator, outputs, `Basic ${basic}`, `Bearer ${token}`);
  }

  async upload({ files }: Sample): Promise<void> {
    for (const [key, file] of files) {
      await this.put(key, readFileSync(file));
    }
    await this.read();
  }

  async put(Key: string, Body: Uint8Array | string): Promise<void> {
    // Names of buckets are no names of hosts here.
    const s3 = new S3Client({ ...this.emulator.client, forcePathStyle: true });
    await s3.send(new PutObjectCommand({ Bucket: this.outputs.bucket, Key, Body }));
  }

  /** Waits until all that was uploaded is on the stream. */
  async read(): Promise<void> {
    await until('what was uploaded is read', async () =>
      (await this.waiting(/CurrentsUploads(?!GivenUp)/)) === 0 ? true : undefined,
    );
  }

  /** Messages in the queues of such names, however they wait. */
  async waiting(name: RegExp): Promise<number> {
    const sqs = new SQSClient(this.emulator.client);
    const { QueueUrls = [] } = await sqs.send(new ListQueuesCommand({}));
    let sum = 0;
    for (const QueueUrl of QueueUrls.filter((url) => name.test(url))) {
      const { Attributes } = await sqs.send(
        new GetQueueAttributesCommand({ QueueUrl, AttributeNames: [...COUNTS] }),
      );
      sum += COUNTS.reduce((all, count) => all + Number(Attributes?.[count]), 0);
    }
    return sum;
  }

  /** Wishes for an offer of an item, for a user of that name, as a webhook does. */
  async wish(user: string, id: string, name: string): Promise<void> {
    const message = { user_id: user, campaign: 'offer', properties: { id }, attributes: { first_name: name } };
    const headers = { authorization: this.bearer, 'content-type': 'application/json' };
    const posted = await fetch(`${this.address}events`, { method: 'POST', headers, body: JSON.stringify(message) });
    if (posted.status !== 200) {
      throw new Error(`POST /events answered ${posted.status}: ${await posted.text()}`);
    }
  }

  /** What Braze gets for a user, and whether it is their own. */
  async lookUp(user: string, campaign: string): Promise<{ isOwn: boolean; data: any }> {
    const url = `${this.address}?user_id=${user}&campaign=${campaign}`;
    const answer = await fetch(url, { headers: { authorization: this.basic } });
    const text = await answer.text();
    if (answer.status !== 200) {
      throw new Error(`the api answered ${answer.status}: ${text}`);
    }
    const { Item } = JSON.parse(text);
    return { isOwn: Item.source === undefined, data: Item.data.M };
  }

  /** Waits until a user has content of their own. */
  async own(user: string, campaign: string): Promise<any> {
    return until(`${user} has content of ${campaign}`, async () => {
      const { isOwn, data } = await this.lookUp(user, campaign);
      return isOwn ? data : undefined;
    });
  }

  /** API Gateway's address; MiniStack knows the API by a path in place of a host. */
  private get address(): string {
    const { host, pathname } = new URL(this.outputs.url);
    return `${this.emulator.endpoint}/_aws/execute-api/${host.split('.')[0]}${pathname}`;
  }
}
