import { Stack, Token, Validations } from 'aws-cdk-lib';
import type * as s3 from 'aws-cdk-lib/aws-s3';
import type { IConstruct } from 'constructs';

/** Acknowledges one finding of cdk-nag's rules "AWS Solutions" in `scope`, for a reason. */
export function acknowledge(scope: IConstruct, rule: string, reason: string): void {
  Validations.of(scope).acknowledge({ id: `AwsSolutions-${rule}`, reason });
}

/** The same for the asterisk behind a bucket's ARN in a policy: objects are named by others. */
export function acknowledgeObjects(
  scope: IConstruct,
  bucket: s3.IBucket,
  keys: string,
  reason: string,
): void {
  const own = bucket.node.defaultChild as s3.CfnBucket | undefined;
  const { partition } = Stack.of(scope);
  const known = Token.isUnresolved(partition) ? '<AWS::Partition>' : partition;
  const arn =
    own === undefined
      ? `arn:${known}:s3:::${bucket.bucketName}`
      : `<${Stack.of(bucket).getLogicalId(own)}.Arn>`;
  acknowledge(scope, `IAM5[Resource::${arn}/${keys}]`, reason);
}
