import type { IncomingHttpHeaders } from 'node:http';

/** A request to AWS, as it comes over the wire. */
export interface Sent {
  readonly method: string;
  /** With its query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Who signed a request, and for which service, as IAM calls it. */
export interface Signature {
  readonly accessKey: string;
  readonly region: string;
  readonly service: string;
}

/** What a request asks for. */
export interface Asked {
  /** By the name of the SDK, behind the service. */
  readonly operation: string;
  readonly about: readonly Thing[];
}

/** Something that a request is about. */
export interface Thing {
  /** CloudFormation's name of what it is. */
  readonly type: string;
  readonly name: string;
  /** Key of an object in a bucket. */
  readonly object?: string;
  /** What the operation does to this one, where it does several things. */
  readonly action?: string;
  /** Of a table: the items or their keys that are named, none where it is all of it. Of a query nobody says. */
  readonly items?: readonly Item[];
}

/** By attribute, as DynamoDB's protocol has it. */
export type Item = Readonly<Record<string, unknown>>;

/** Reads the signature in a request's header; there is none where nobody signed it there. */
export function signatureOf({ headers }: Pick<Sent, 'headers'>): Signature | undefined {
  const form = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/\d{8}\/([^/]+)\/([^/]+)\/aws4_request\b/;
  const [, accessKey, region, service] = form.exec(headers.authorization ?? '') ?? [];
  return accessKey && region && service ? { accessKey, region, service } : undefined;
}

/** Tells what a request asks of a service; throws where nobody here knows. */
export function asked(service: string, sent: Sent): Asked {
  const read = READERS[service];
  if (read === undefined) {
    throw new Error(`nobody here reads requests to ${service}: ${sent.method} ${sent.url}`);
  }
  const found = read(sent);
  if (found === undefined) {
    const target = sent.headers['x-amz-target'] ?? '';
    throw new Error(`nobody here knows what this asks of ${service}: ${sent.method} ${sent.url} ${target}`);
  }
  return { ...found, operation: `${service}:${found.operation}` };
}

type Reader = (sent: Sent) => Asked | undefined;

const READERS: Readonly<Record<string, Reader>> = {
  bedrock: ofBedrock,
  dynamodb: named('DynamoDB_20120810', ofDynamoDb),
  kinesis: named('Kinesis_20131202', (_, body) => [{ type: 'AWS::Kinesis::Stream', name: text(body, 'StreamName') }]),
  lambda: ofLambda,
  s3: ofS3,
  secretsmanager: named('secretsmanager', (_, body) => [
    { type: 'AWS::SecretsManager::Secret', name: text(body, 'SecretId') },
  ]),
  sqs: named('AmazonSQS', (_, body) => [
    // Its address ends with the name.
    { type: 'AWS::SQS::Queue', name: text(body, 'QueueUrl').replace(/^.*\//, '') },
  ]),
  ssm: named('AmazonSSM', (_, body) => [{ type: 'AWS::SSM::Parameter', name: text(body, 'Name') }]),
};

type Body = Readonly<Record<string, unknown>>;

/** Of services whose requests name their operation in a header, and have a JSON object as their body. */
function named(prefix: string, about: (operation: string, body: Body) => Thing[]): Reader {
  return ({ headers, body }) => {
    const [before, operation] = String(headers['x-amz-target'] ?? '').split('.');
    if (before !== prefix || operation === undefined) {
      return undefined;
    }
    return { operation, about: about(operation, JSON.parse(body.toString('utf8'))) };
  };
}

/** Operations of DynamoDB, by where their items are. */
const OF_KEY = ['DeleteItem', 'GetItem', 'UpdateItem'];
const OF_ALL = ['DescribeTable', 'Scan'];

function ofDynamoDb(operation: string, body: Body): Thing[] {
  if (operation === 'BatchGetItem') {
    const tables = body['RequestItems'] as Record<string, { Keys: Item[] }>;
    return Object.entries(tables).map(([name, { Keys }]) => table(name, Keys));
  }
  if (operation === 'TransactWriteItems') {
    return (body['TransactItems'] as Record<string, Body>[]).flatMap((each) =>
      Object.entries(each).map(([what, one]) => ({
        ...table(text(one, 'TableName'), [(one['Item'] ?? one['Key']) as Item]),
        action: what === 'ConditionCheck' ? 'dynamodb:ConditionCheckItem' : `dynamodb:${what}Item`,
      })),
    );
  }
  if ('IndexName' in body) {
    throw new Error(`nobody here knows what ${operation} of an index is about`);
  }
  const name = text(body, 'TableName');
  if (operation === 'PutItem') {
    return [table(name, [body['Item'] as Item])];
  }
  if (OF_KEY.includes(operation)) {
    return [table(name, [body['Key'] as Item])];
  }
  if (OF_ALL.includes(operation)) {
    return [table(name, [])];
  }
  if (operation === 'Query') {
    return [{ type: 'AWS::DynamoDB::Table', name }];
  }
  throw new Error(`nobody here knows what dynamodb:${operation} is about`);
}

function table(name: string, items: readonly Item[]): Thing {
  return { type: 'AWS::DynamoDB::Table', name, items };
}

/** By path: names of buckets are no names of hosts here. */
function ofS3({ method, url, headers }: Sent): Asked | undefined {
  const { pathname, searchParams } = new URL(url, 'http://s3');
  const [, name = '', rest = ''] = /^\/([^/]+)\/?(.*)$/.exec(pathname) ?? [];
  const object = decodeURIComponent(rest);
  // The SDK says beside the path which operation it means.
  const said = [...searchParams.keys()].filter((key) => !['x-id', 'versionId'].includes(key));
  const bucket = { type: 'AWS::S3::Bucket', name };
  if (method === 'GET' && object === '' && searchParams.get('list-type') === '2') {
    return { operation: 'ListObjectsV2', about: [bucket] };
  }
  const operation = OF_OBJECTS[method];
  if (operation === undefined || name === '' || object === '' || said.length > 0 || 'x-amz-copy-source' in headers) {
    return undefined;
  }
  const ofVersion = searchParams.has('versionId') ? { action: `s3:${operation}Version` } : {};
  return { operation, about: [{ ...bucket, object, ...ofVersion }] };
}

const OF_OBJECTS: Readonly<Record<string, string>> = { DELETE: 'DeleteObject', GET: 'GetObject', PUT: 'PutObject' };

function ofBedrock({ method, url, body }: Sent): Asked | undefined {
  const path = decodeURIComponent(new URL(url, 'http://bedrock').pathname);
  const [, model] = /^\/model\/(.+)\/converse$/.exec(path) ?? [];
  const [, guardrail] = /^\/guardrail\/(.+)\/version\/[^/]+\/apply$/.exec(path) ?? [];
  if (method === 'POST' && model !== undefined) {
    const { guardrailConfig: within } = JSON.parse(body.toString('utf8'));
    const guards = within === undefined ? [] : [guard(text(within, 'guardrailIdentifier'))];
    return { operation: 'Converse', about: [{ type: 'AWS::Bedrock::Model', name: model }, ...guards] };
  }
  if (method === 'POST' && guardrail !== undefined) {
    return { operation: 'ApplyGuardrail', about: [guard(guardrail)] };
  }
  return undefined;
}

function guard(name: string): Thing {
  return { type: 'AWS::Bedrock::Guardrail', name };
}

function ofLambda({ method, url }: Sent): Asked | undefined {
  const { pathname } = new URL(url, 'http://lambda');
  const [, name, what] = /^\/2015-03-31\/functions\/([^/]+)\/(versions|aliases\/[^/]+)$/.exec(pathname) ?? [];
  const operation = OF_FUNCTIONS[`${method} ${what?.replace(/\/.*/, '')}`];
  if (name === undefined || operation === undefined) {
    return undefined;
  }
  return { operation, about: [{ type: 'AWS::Lambda::Function', name: decodeURIComponent(name) }] };
}

const OF_FUNCTIONS: Readonly<Record<string, string>> = {
  'GET aliases': 'GetAlias',
  'GET versions': 'ListVersionsByFunction',
  'PUT aliases': 'UpdateAlias',
};

function text(body: Body, name: string): string {
  const found = body[name];
  if (typeof found !== 'string') {
    throw new Error(`a request has no ${name}`);
  }
  return found;
}
