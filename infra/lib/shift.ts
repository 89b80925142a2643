import type * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as codedeploy from 'aws-cdk-lib/aws-codedeploy';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';

import { acknowledge } from './findings.js';

/** What CodeDeploy needs, as AWS keeps it. */
const POLICY = 'AWSCodeDeployRoleForLambdaLimited';

/** Named on the command line, it lets a deployment take the place of what rings already. */
const AT_ONCE = 'at-once';

export interface ShiftProps {
  readonly live: lambda.Alias;
  /** Those that ring if the new version is worse. */
  readonly worse: readonly cloudwatch.Alarm[];
}

/**
 * Lets a tenth of the calls try a new version, for longer than the alarms need to ring, and goes back
 * if they do. Without that `at-once` is said, nothing is deployed while they ring.
 */
export class Shift extends Construct {
  constructor(scope: Construct, id: string, { live, worse }: ShiftProps) {
    super(scope, id);
    const atOnce = this.node.tryGetContext(AT_ONCE) === 'true';
    const group = new codedeploy.LambdaDeploymentGroup(this, 'Group', {
      alias: live,
      application: new codedeploy.LambdaApplication(this, 'Application'),
      ...(atOnce
        ? { deploymentConfig: codedeploy.LambdaDeploymentConfig.ALL_AT_ONCE }
        : {
            alarms: [...worse],
            deploymentConfig: codedeploy.LambdaDeploymentConfig.CANARY_10PERCENT_15MINUTES,
          }),
    });
    acknowledge(
      group,
      `IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/${POLICY}]`,
      'AWS documents this policy for deployments of functions; it may move aliases, and read alarms',
    );
  }
}
