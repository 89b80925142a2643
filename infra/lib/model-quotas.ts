import { type CfnResource, Duration, Fn, RemovalPolicy, Stack, Token } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as custom from 'aws-cdk-lib/custom-resources';
import { Construct } from 'constructs';
import { createHash } from 'node:crypto';

/** Bedrock's quota of a model in this account and region. */
export interface ModelQuota {
  readonly tokensPerMinute: Quota;
  /** Newer models have none. */
  readonly requestsPerMinute?: Quota;
  readonly tokensPerDay?: Quota;
  /** What an output token counts when a call is settled; 5 if not given. */
  readonly outputBurndown?: number;
}

/** A number, or what Service Quotas says at deployment. */
export type Quota = number | ServiceQuota;

/** A quota of Bedrock, by its code in Service Quotas. */
export interface ServiceQuota {
  /** `L-` and eight hexadecimal digits. */
  readonly quotaCode: string;
}

/** What Service Quotas calls one of its quotas. */
export const QUOTA_CODE = /^L-[0-9A-F]{8}$/;

export interface ModelQuotasProps {
  /** Quotas by model or inference profile; `*` stands for every other. */
  readonly quotas: Readonly<Record<string, ModelQuota>>;
  /** Everything that an operator can set: the quotas are read again when any of it changes. */
  readonly settings: unknown;
}

/** Quotas as `MODEL_QUOTAS` has them, `value` telling the number of each that is given. */
export function asSetting(
  quotas: Readonly<Record<string, ModelQuota>>,
  value: (quota: Quota | undefined) => number | undefined,
): Record<string, unknown> {
  const entries = Object.entries(quotas).map(([model, quota]) => [
    model,
    {
      tokens_per_minute: value(quota.tokensPerMinute),
      requests_per_minute: value(quota.requestsPerMinute),
      tokens_per_day: value(quota.tokensPerDay),
      output_burndown: quota.outputBurndown,
    },
  ]);
  return Object.fromEntries(entries);
}

/** What Service Quotas calls Amazon Bedrock. */
const SERVICE_CODE = 'bedrock';

/** Service Quotas answers within a second; the SDK's own retries fit into this. */
const READ_TIMEOUT = Duration.minutes(1);

/**
 * The quotas of the models as the processor's setting `MODEL_QUOTAS`. Those that are given by
 * a quota code are read by the deployment itself, through a function that may do nothing else.
 */
export class ModelQuotas extends Construct {
  /** A JSON object; part of it may be known at deployment only. */
  readonly json: string;

  /** Values that the deployment reads, by quota code. */
  private readonly read = new Map<string, number>();
  private readonly fingerprint: string;
  /** Of all quotas that the deployment reads. */
  private readonly codes: readonly string[];
  private reader: Reader | undefined;

  constructor(scope: Construct, id: string, props: ModelQuotasProps) {
    super(scope, id);
    this.fingerprint = createHash('sha256').update(JSON.stringify(props.settings)).digest('hex');

    this.codes = codesOf(props.quotas);
    const quotas = asSetting(props.quotas, (quota) => this.value(quota));
    this.json = Stack.of(this).toJsonString(quotas);
  }

  private value(quota: Quota | undefined): number | undefined {
    if (quota === undefined || typeof quota === 'number') {
      return quota;
    }
    const known = this.read.get(quota.quotaCode);
    const value = known ?? this.readAtDeployment(quota.quotaCode);
    this.read.set(quota.quotaCode, value);
    return value;
  }

  private readAtDeployment(quotaCode: string): number {
    if (!QUOTA_CODE.test(quotaCode)) {
      throw new Error(`"${quotaCode}" is no quota code: it is L- and eight hexadecimal digits`);
    }
    const call: custom.AwsSdkCall = {
      service: 'ServiceQuotas',
      action: 'GetServiceQuota',
      parameters: { ServiceCode: SERVICE_CODE, QuotaCode: quotaCode },
      outputPaths: ['Quota.Value'],
      physicalResourceId: custom.PhysicalResourceId.of(`${SERVICE_CODE}/${quotaCode}`),
    };
    this.reader ??= reader(this, this.codes);
    const reading = new custom.AwsCustomResource(this, quotaCode, {
      resourceType: 'Custom::ServiceQuota',
      onUpdate: call,
      installLatestAwsSdk: false,
      timeout: READ_TIMEOUT,
      ...this.reader,
    });
    const resource = reading.node.findChild('Resource').node.defaultChild as CfnResource;
    // An update that changes nothing here would not read again.
    resource.addPropertyOverride('ReadFor', this.fingerprint);
    return wholeNumber(reading.getResponseField('Quota.Value'));
  }
}

/** What the function that reads quotas runs as, and where it writes. */
interface Reader {
  readonly role: iam.Role;
  readonly logGroup: logs.LogGroup;
}

/** The codes among quotas, each once. */
function codesOf(quotas: Readonly<Record<string, ModelQuota>>): string[] {
  const all = Object.values(quotas).flatMap((quota) => [
    quota.tokensPerMinute,
    quota.requestsPerMinute,
    quota.tokensPerDay,
  ]);
  const codes = all.flatMap((quota) => (typeof quota === 'object' ? [quota.quotaCode] : []));
  return [...new Set(codes)];
}

function reader(scope: Construct, codes: readonly string[]): Reader {
  const logGroup = new logs.LogGroup(scope, 'Log', {
    removalPolicy: RemovalPolicy.DESTROY,
    retention: logs.RetentionDays.ONE_MONTH,
  });
  const role = new iam.Role(scope, 'Reader', {
    assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com'),
    description: 'Reads quotas of Amazon Bedrock at deployment',
    inlinePolicies: {
      quotas: new iam.PolicyDocument({
        statements: [
          new iam.PolicyStatement({
            actions: ['servicequotas:GetServiceQuota'],
            resources: codes.map((code) =>
              Stack.of(scope).formatArn({
                service: 'servicequotas',
                resource: SERVICE_CODE,
                resourceName: code,
              }),
            ),
          }),
        ],
      }),
    },
  });
  logGroup.grantWrite(role);
  return { role, logGroup };
}

/**
 * Quotas are floating-point numbers in the SDK. JavaScript writes those that are whole without
 * a fraction, and CloudFormation turns them into text; should it add `.0`, it is taken off. Any
 * other notation, such as 4.0E6, is left as it is: the processor refuses it at its start, while
 * a text cut at the point would be taken for a tiny quota.
 */
function wholeNumber(text: string): number {
  return Token.asNumber(Fn.join('', Fn.split('.0', text)));
}
