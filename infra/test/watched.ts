import type { Template } from 'aws-cdk-lib/assertions';

/** An alarm of a template, in the words of its test. */
export interface Watched {
  readonly id: string;
  readonly type: string;
  /** What its description begins with. */
  readonly rings: string;
  readonly chapter: string;
  /** The outermost expression; none of an alarm that watches one metric. */
  readonly expression: string | undefined;
  /** Of all metrics behind it: namespace and name, or the name alone of what the stack counts itself. */
  readonly metrics: readonly string[];
  readonly threshold: string;
  /** In a row, of so many minutes. */
  readonly periods: string;
  readonly missing: string;
  readonly properties: Record<string, any>;
}

interface Stat {
  readonly Metric: { readonly MetricName: string; readonly Namespace: unknown };
  readonly Period: number;
}

/** Template's types of alarms. */
const TYPES = ['AWS::CloudWatch::Alarm', 'AWS::CloudWatch::CompositeAlarm'];

const SIGNS: Record<string, string> = { GreaterThanThreshold: '>', LessThanThreshold: '<' };

/** All alarms of a template. */
export function watched(template: Template): Watched[] {
  return TYPES.flatMap((type) =>
    Object.entries(template.findResources(type)).map(([id, { Properties }]) => read(id, type, Properties)),
  );
}

/** The alarms of a chapter, or those of them that watch one more thing. */
export function chapter(template: Template, name: string): Watched[] {
  return watched(template).filter((each) => each.chapter === name);
}

/** The only alarm of a chapter whose id contains `of`. */
export function alarm(template: Template, name: string, of = ''): Watched {
  const found = chapter(template, name).filter(({ id }) => id.includes(of));
  if (found.length !== 1) {
    throw new Error(`${found.length} alarms of ${name}${of}: ${found.map(({ id }) => id).join(', ')}`);
  }
  return found[0]!;
}

function read(id: string, type: string, properties: Record<string, any>): Watched {
  const [, rings = '', name = ''] = /^(.*?): .* \S+#([a-z-]+)$/.exec(String(properties['AlarmDescription'])) ?? [];
  const queries: { Expression?: string; MetricStat?: Stat; ReturnData?: boolean }[] = properties['Metrics'] ?? [];
  const stats = queries.flatMap(({ MetricStat }) => (MetricStat === undefined ? [] : [MetricStat]));
  const own = { MetricName: properties['MetricName'], Namespace: properties['Namespace'] };
  const all = 'MetricName' in properties ? [own] : stats.map(({ Metric }) => Metric);
  const seconds = properties['Period'] ?? stats[0]?.Period;
  return {
    id,
    type,
    rings,
    chapter: name,
    expression: queries.find((each) => each.Expression !== undefined && each.ReturnData !== false)?.Expression,
    metrics: all.map(({ MetricName, Namespace }) =>
      typeof Namespace === 'string' && Namespace.startsWith('AWS/') ? `${Namespace} ${MetricName}` : MetricName,
    ),
    threshold: `${SIGNS[properties['ComparisonOperator']]} ${properties['Threshold']}`,
    periods: `${properties['EvaluationPeriods']} x ${seconds / 60}`,
    missing: properties['TreatMissingData'],
    properties,
  };
}
