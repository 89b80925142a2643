import { arnOf } from '../arns.js';
import { kindOf } from '../kinds.js';
import { byName, type Place, type Speak, type Statement, statements } from '../statements.js';
import type { Item, Thing } from './asked.js';
import type { Check } from './evaluator.js';

/** A resource of a template, as far as it matters here. */
interface Resource {
  readonly Type: string;
  readonly Properties?: Record<string, unknown>;
}

/** A template, and what CloudFormation called its resources, by their logical ids. */
export interface Stack {
  readonly resources: Readonly<Record<string, Resource>>;
  readonly names: Readonly<Record<string, string>>;
  readonly place: Place;
}

/** What a request is about, as policies speak of it. */
export interface Found {
  /** By the list of requests. */
  readonly kind: string;
  readonly arn: string;
  /** ARN of the key that it is encrypted with, if that is not AWS's own. */
  readonly key?: string;
  readonly context: Check['context'];
}

/** Where the geographic profile of the tests' model sends calls that are made in the emulator's region. */
export const RUNS_IN = ['us-east-1', 'us-east-2', 'us-west-2'];

/** Finds what requests name among what was deployed. */
export class Deployed {
  private readonly ids: ReadonlyMap<string, string>;

  constructor(readonly stack: Stack) {
    const { names, resources } = stack;
    this.ids = new Map(Object.entries(names).map(([id, name]) => [`${resources[id]?.Type} ${short(name)}`, id]));
  }

  /** All statements of the template; in both answers one place is the same statement. */
  statements(): { readonly byArn: readonly Statement[]; readonly byName: readonly Statement[] } {
    const { place } = this.stack;
    return {
      byArn: statements(this.template, this.speak, place),
      byName: statements(this.template, byName, place),
    };
  }

  /** The name in the stack of a function that is called so. */
  functionOf(name: string): string | undefined {
    const id = this.ids.get(`AWS::Lambda::Function ${name}`);
    return id === undefined ? undefined : byName(id, '');
  }

  /** Finds what a request is about: of a model that a profile runs, the profile and all places where it runs. */
  find(thing: Thing): readonly Found[] {
    const { account, region } = this.stack.place;
    const here = `arn:aws:bedrock:${region}:${account}`;
    if (thing.type === 'AWS::Bedrock::Guardrail') {
      return [{ kind: 'guardrail', arn: `${here}:guardrail/${thing.name}`, context: {} }];
    }
    if (thing.type === 'AWS::Bedrock::Model') {
      return modelsOf(thing.name, here);
    }
    return [this.own(thing)];
  }

  private own({ type, name, object, items }: Thing): Found {
    const id = this.ids.get(`${type} ${short(name)}`);
    const kind = id === undefined ? undefined : kindOf(byName(id, type));
    if (id === undefined || kind === undefined) {
      throw new Error(`a request is about ${type} ${name}, and nobody here knows that`);
    }
    const properties = this.stack.resources[id]?.Properties ?? {};
    const key = keyOf(properties);
    const hash = hashOf(properties);
    return {
      kind,
      arn: `${this.before(type)}${this.speak(id, type)}${object === undefined ? '' : `/${object}`}`,
      ...(key && { key: this.speak(key, 'AWS::KMS::Key') }),
      // Of a query nobody reads it out of the expression.
      context: hash && items ? { 'dynamodb:LeadingKeys': items.map((item) => valueOf(item, hash)) } : {},
    };
  }

  /** Of a parameter the template itself puts the rest of the ARN before its name. */
  private before(type: string): string {
    const { account, region } = this.stack.place;
    return type === 'AWS::SSM::Parameter' ? `arn:aws:ssm:${region}:${account}:parameter` : '';
  }

  private readonly speak: Speak = (id, type) => arnOf(short(this.stack.names[id] ?? id), type, this.stack.place);

  private get template() {
    return { toJSON: () => ({ Resources: this.stack.resources }) };
  }
}

/** A profile, and its model in all places where it runs, called through the profile. */
function modelsOf(name: string, here: string): Found[] {
  const [, model] = /^us\.(.+)$/.exec(name) ?? [];
  if (model === undefined) {
    throw new Error(`nobody here knows where ${name} runs`);
  }
  const profile = `${here}:inference-profile/${name}`;
  const called = (arn: string, ...through: string[]) => {
    return { kind: 'model', arn, context: { 'bedrock:InferenceProfileArn': through } };
  };
  const arns = RUNS_IN.map((region) => `arn:aws:bedrock:${region}::foundation-model/${model}`);
  return [called(profile), ...arns.map((arn) => called(arn, profile))];
}

/** CloudFormation says the address of a queue, whose last part is its name. */
function short(name: string): string {
  return name.replace(/^https?:\/\/.*\//, '');
}

/** Settings that name the key, whatever the type of the resource. */
const KEYS = ['KMSMasterKeyID', 'KMSMasterKeyId', 'KeyId', 'KmsKeyId', 'KmsMasterKeyId'];

/** Logical id of the key that a resource is encrypted with. */
function keyOf(properties: unknown): string | undefined {
  if (typeof properties !== 'object' || properties === null) {
    return undefined;
  }
  for (const [name, value] of Object.entries(properties)) {
    const found: unknown = KEYS.includes(name) ? value?.['Fn::GetAtt']?.[0] : keyOf(value);
    if (typeof found === 'string') {
      return found;
    }
  }
  return undefined;
}

function hashOf(properties: Record<string, unknown>): string | undefined {
  const schema = (properties['KeySchema'] ?? []) as { AttributeName: string; KeyType: string }[];
  return schema.find(({ KeyType }) => KeyType === 'HASH')?.AttributeName;
}

/** Keys of the project's tables are texts. */
function valueOf(item: Item, attribute: string): string {
  const value = item[attribute] as { S?: unknown } | undefined;
  if (typeof value?.S !== 'string') {
    throw new Error(`an item has no text for its key ${attribute}`);
  }
  return value.S;
}
