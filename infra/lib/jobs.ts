import { Aws, Duration, Stack, Token } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as s3 from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';

import type { AccessLogs } from './access-logs.js';
import { type ModelAccess, modelArns } from './bedrock-access.js';
import type { Encryption } from './encryption.js';
import { acknowledge, acknowledgeObjects } from './findings.js';
import { privateBucket } from './private-bucket.js';

/** Files of a job are removed when it has ended; what is left of one that nobody saw the end of goes then. */
const LONGEST_KEPT = Duration.days(3);

/** The program's own name for the folder of all jobs. */
const KEYS = 'jobs/*';

/** What the service reads of a job, and where it writes. */
const INPUT = 'jobs/*/input.jsonl';
const OUTPUT = 'jobs/*/output/*';

const SERVICE = 'bedrock.amazonaws.com';

export interface JobsProps {
  readonly accessLogs: AccessLogs;
  readonly encryption: Encryption;
  /** What jobs may ask. */
  readonly access: ModelAccess;
}

/** Where jobs of batch inference have their files, and as whom Bedrock reads and writes them. */
export class Jobs extends Construct {
  private readonly bucket: s3.Bucket;
  private readonly role: iam.Role;
  private readonly props: JobsProps;

  constructor(scope: Construct, id: string, props: JobsProps) {
    super(scope, id);
    this.props = props;
    this.bucket = privateBucket(this, 'Files', {
      accessLogs: props.accessLogs,
      key: props.encryption.incoming,
      lifecycleRules: [{ expiration: LONGEST_KEPT }],
    });
    this.role = this.serviceRole();
  }

  /** Of both functions that answer. */
  get settings(): Record<string, string> {
    return { JOBS_BUCKET: this.bucket.bucketName, JOBS_ROLE_ARN: this.role.roleArn };
  }

  /** Lets a role submit jobs, follow them, and keep their files. */
  grantWork(role: iam.IRole): void {
    role.addToPrincipalPolicy(
      new iam.PolicyStatement({
        actions: ['s3:DeleteObject', 's3:GetObject', 's3:PutObject'],
        resources: [this.bucket.arnForObjects(KEYS)],
      }),
    );
    acknowledgeObjects(role, this.bucket, KEYS, 'jobs are named by the program');
    // Of all prefixes: under a condition S3 would not tell a file that is gone from a forbidden one.
    role.addToPrincipalPolicy(
      new iam.PolicyStatement({ actions: ['s3:ListBucket'], resources: [this.bucket.bucketArn] }),
    );
    this.props.encryption.grant(role, 'filesRead', 'filesWritten');
    role.addToPrincipalPolicy(
      new iam.PolicyStatement({
        actions: ['iam:PassRole'],
        resources: [this.role.roleArn],
        conditions: { StringEquals: { 'iam:PassedToService': SERVICE } },
      }),
    );
    const jobs = this.jobs();
    const allow = (actions: string[], resources: string[]) =>
      role.addToPrincipalPolicy(new iam.PolicyStatement({ actions, resources }));
    allow(['bedrock:CreateModelInvocationJob'], [...modelArns(role, this.props.access), jobs]);
    allow(['bedrock:GetModelInvocationJob', 'bedrock:StopModelInvocationJob'], [jobs]);
    allow(['bedrock:ListModelInvocationJobs'], ['*']);
    acknowledge(role, `IAM5[Resource::${this.jobsInFindings()}]`, 'jobs are named by Bedrock');
    acknowledge(role, 'IAM5[Resource::*]', 'a list of jobs is of all');
  }

  /** All jobs of the account. */
  private jobs(): string {
    return Stack.of(this).formatArn({
      service: 'bedrock',
      resource: 'model-invocation-job',
      resourceName: '*',
    });
  }

  /** The same, as findings write what is not known before the deployment. */
  private jobsInFindings(): string {
    const { account, partition, region } = Stack.of(this);
    const known = (value: string, name: string) => (Token.isUnresolved(value) ? `<AWS::${name}>` : value);
    const place = [known(region, 'Region'), known(account, 'AccountId')].join(':');
    return `arn:${known(partition, 'Partition')}:bedrock:${place}:model-invocation-job/*`;
  }

  /** <https://docs.aws.amazon.com/bedrock/latest/userguide/batch-iam-sr.html> */
  private serviceRole(): iam.Role {
    const role = new iam.Role(this, 'Role', {
      assumedBy: new iam.ServicePrincipal(SERVICE, {
        conditions: {
          StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID },
          ArnLike: { 'aws:SourceArn': this.jobs() },
        },
      }),
      description: 'Bedrock reads questions and writes answers of batch inference',
    });
    const allow = (action: string, resources: string[]) =>
      role.addToPolicy(new iam.PolicyStatement({ actions: [action], resources }));
    allow('s3:GetObject', [this.bucket.arnForObjects(INPUT)]);
    allow('s3:PutObject', [this.bucket.arnForObjects(OUTPUT)]);
    allow('s3:ListBucket', [this.bucket.bucketArn]);
    allow('bedrock:InvokeModel', modelArns(role, this.props.access));
    acknowledgeObjects(role, this.bucket, INPUT, 'jobs are named by the program');
    acknowledgeObjects(role, this.bucket, OUTPUT, 'Bedrock names its answers');
    this.props.encryption.grant(role, 'filesRead', 'filesWritten');
    return role;
  }
}
