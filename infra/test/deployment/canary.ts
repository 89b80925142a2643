import type { Template } from 'aws-cdk-lib/assertions';

/** What a state of the canary does. */
export interface State {
  readonly Type: string;
  readonly Next?: string;
  readonly Seconds?: number;
  readonly Parameters?: Readonly<Record<string, any>>;
  readonly Catch?: readonly { readonly Next: string; readonly ResultPath: string }[];
  readonly [more: string]: unknown;
}

/** What the deployment puts in place of what only it knows, the address for one. */
export type Known = (of: Record<string, unknown>) => string;

/** The state machine of a template's canary, by the names of its states. */
export function states(template: Template, known: Known = (of) => JSON.stringify(of).replaceAll('"', "'")): Record<string, State> {
  const [machine] = Object.values(template.findResources('AWS::StepFunctions::StateMachine'));
  const parts: (string | Record<string, unknown>)[] = machine?.Properties.DefinitionString['Fn::Join'][1];
  const text = parts.map((part) => (typeof part === 'string' ? part : known(part))).join('');
  return JSON.parse(text).States;
}

/** What EventBridge's clock says, as far as the canary reads it. */
export interface Tick {
  readonly id: string;
  readonly time: string;
}

/** The body that Step Functions sends: names that end in `.$` stand for paths of the input. */
export function posted(states: Record<string, State>, tick: Tick): unknown {
  return filled(states['Post']?.Parameters?.['RequestBody'], tick);
}

function filled(of: unknown, tick: Tick): unknown {
  if (typeof of !== 'object' || of === null) {
    return of;
  }
  return Object.fromEntries(
    Object.entries(of).map(([name, value]) =>
      name.endsWith('.$')
        ? [name.slice(0, -2), tick[String(value).replace('$.', '') as keyof Tick]]
        : [name, filled(value, tick)],
    ),
  );
}
