import type { Template } from 'aws-cdk-lib/assertions';

/** One statement of a policy in a template, with what it speaks of as text. */
export interface Statement {
  /** Logical id of the resource that holds it. */
  readonly id: string;
  /** Logical ids of the roles that it is a policy of; none of a resource's own policy. */
  readonly roles: readonly string[];
  readonly effect: 'Allow' | 'Deny';
  readonly actions: readonly string[];
  /** ARNs, or names in the stack, by the function that was given. */
  readonly resources: readonly string[];
  readonly conditions: Conditions;
}

/** By operator and key, as policies have them. */
export type Conditions = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

interface Resource {
  readonly Type: string;
  readonly Properties: Record<string, unknown>;
}

type Resources = Readonly<Record<string, Resource>>;

/** What a template says where the deployment puts a text. */
export type Expression =
  | string
  | { 'Fn::GetAtt': [string, string] }
  | { 'Fn::Join': ['', Expression[]] }
  | { Ref: string };

/** Tells the text for the resource `id` of this type, whose reference or attribute it stands for. */
export type Speak = (id: string, type: string, attribute?: string) => string;

/** Speaks of a resource by its name in the stack, without the hash behind it. */
export const byName: Speak = (id) => id.replace(/[0-9A-F]{8}$/, '');

/** Where a stack is deployed to. */
export interface Place {
  readonly account: string;
  readonly region: string;
}

/** Of templates that say nothing of it. */
export const SOMEWHERE: Place = { account: '111122223333', region: 'eu-central-1' };

/** Under what names types of resources keep policies: but for trust, which is nobody's permission. */
const POLICIES = ['KeyPolicy', 'Policy', 'PolicyDocument', 'ResourcePolicy'];

/** All statements of a template, of roles' policies and of resources' own. */
export function statements(
  template: Pick<Template, 'toJSON'>,
  speak: Speak = byName,
  place: Place = SOMEWHERE,
): Statement[] {
  const spell: Speak = (id, type, attribute) => pseudo(place)[id] ?? speak(id, type, attribute);
  const resources: Resources = template.toJSON()['Resources'];
  return Object.entries(resources).flatMap(([id, { Type, Properties = {} }]) => {
    const inline = ((Properties['Policies'] ?? []) as Record<string, unknown>[]).map((each) => each['PolicyDocument']);
    const own = POLICIES.map((name) => Properties[name]).filter((each) => each !== undefined);
    const roles = Type === 'AWS::IAM::Role' ? [id] : rolesOf(Properties);
    return [...inline, ...own].flatMap((document) =>
      (document as { Statement: Raw[] }).Statement.map((raw) => read(id, roles, raw, resources, spell)),
    );
  });
}

function pseudo({ account, region }: Place): Record<string, string> {
  return { 'AWS::AccountId': account, 'AWS::Partition': 'aws', 'AWS::Region': region };
}

interface Raw {
  readonly Effect: 'Allow' | 'Deny';
  readonly Action?: string | string[];
  readonly Resource?: Expression | Expression[];
  readonly Condition?: Conditions;
}

function rolesOf(properties: Record<string, unknown>): string[] {
  return ((properties['Roles'] ?? []) as { Ref: string }[]).map(({ Ref }) => Ref);
}

function read(id: string, roles: string[], raw: Raw, resources: Resources, speak: Speak): Statement {
  if (raw.Action === undefined || raw.Resource === undefined) {
    throw new Error(`${id} speaks of all but something, where each statement names what it speaks of`);
  }
  const text = (of: unknown): string => spoken(of as Expression, resources, speak);
  const conditions = Object.entries(raw.Condition ?? {}).map(([operator, keys]) => [
    operator,
    Object.fromEntries(Object.entries(keys).map(([key, value]) => [key, [value].flat().map(text)])),
  ]);
  return {
    id,
    roles,
    effect: raw.Effect,
    actions: [raw.Action].flat(),
    resources: [raw.Resource].flat().map(text),
    conditions: Object.fromEntries(conditions),
  };
}

function spoken(of: Expression, resources: Resources, speak: Speak): string {
  if (typeof of !== 'object') {
    return String(of);
  }
  if ('Fn::Join' in of) {
    return of['Fn::Join'][1].map((part) => spoken(part, resources, speak)).join('');
  }
  const [id, attribute] = 'Ref' in of ? [of.Ref] : of['Fn::GetAtt'];
  return speak(id, resources[id]?.Type ?? '', attribute);
}
