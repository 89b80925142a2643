import { CfnOutput } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';

import { CATALOG_KEYS, type Currents } from './currents.js';
import { Encryption } from './encryption.js';
import { acknowledgeObjects } from './findings.js';

export interface BrazeRoleProps {
  /** Braze's account, and the external id that Braze made for this connection. */
  readonly braze: { readonly accountId: string; readonly externalId: string };
  readonly currents: Currents;
  /** Beginning of the keys that Braze may write. */
  readonly prefix?: string;
}

/**
 * Lets Braze write files of Currents, and do nothing else, without a key that could be stolen.
 * The permissions are those that Braze's page on Amazon S3 asks for, for Currents.
 */
export class BrazeRole extends Construct {
  constructor(scope: Construct, id: string, props: BrazeRoleProps) {
    super(scope, id);
    const role = new iam.Role(this, 'Role', {
      assumedBy: new iam.AccountPrincipal(props.braze.accountId),
      description: 'Braze Currents writes its files',
      externalIds: [props.braze.externalId],
    });
    const { bucket, key } = props.currents;
    const keys = `${props.prefix ?? ''}*`;
    role.addToPolicy(
      new iam.PolicyStatement({
        actions: ['s3:GetBucketLocation', 's3:ListBucket'],
        resources: [bucket.bucketArn],
      }),
    );
    role.addToPolicy(
      new iam.PolicyStatement({
        // Braze reads its own files when it handles errors.
        actions: ['s3:GetObject', 's3:PutObject'],
        resources: [bucket.arnForObjects(keys)],
      }),
    );
    // What stands in a catalog goes into texts: Braze's events come from it, and no catalog does.
    role.addToPolicy(
      new iam.PolicyStatement({
        effect: iam.Effect.DENY,
        actions: ['s3:PutObject'],
        resources: [bucket.arnForObjects(CATALOG_KEYS)],
      }),
    );
    acknowledgeObjects(role, bucket, CATALOG_KEYS, 'it is denied, whatever the name');
    if (key !== undefined) {
      Encryption.grantUse(key, role, 'filesWrittenInParts');
    }
    acknowledgeObjects(role, bucket, keys, 'Braze names its objects; all begin with the prefix');
    new CfnOutput(this, 'Arn', {
      description: 'Role to name in the Currents connection',
      value: role.roleArn,
    });
  }
}
