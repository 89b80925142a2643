import type * as apigateway from 'aws-cdk-lib/aws-apigateway';
import * as wafv2 from 'aws-cdk-lib/aws-wafv2';
import { Construct } from 'constructs';

/** Groups of rules that AWS keeps: known bad senders, and what only attackers send. */
const MANAGED_RULES = ['AWSManagedRulesAmazonIpReputationList', 'AWSManagedRulesKnownBadInputsRuleSet'];

export interface WebAclProps {
  readonly stage: apigateway.Stage;
}

/**
 * AWS WAF in front of the api. There is no limit by address: all of Braze's calls come from a
 * few addresses, tens of thousands a second.
 */
export class WebAcl extends Construct {
  constructor(scope: Construct, id: string, props: WebAclProps) {
    super(scope, id);
    const acl = new wafv2.CfnWebACL(this, 'Acl', {
      defaultAction: { allow: {} },
      description: 'In front of the api that Braze calls',
      rules: MANAGED_RULES.map((name, priority) => ({
        name,
        priority,
        overrideAction: { none: {} },
        statement: { managedRuleGroupStatement: { name, vendorName: 'AWS' } },
        visibilityConfig: visible(name),
      })),
      scope: 'REGIONAL',
      visibilityConfig: visible('Api'),
    });
    new wafv2.CfnWebACLAssociation(this, 'Association', {
      resourceArn: props.stage.stageArn,
      webAclArn: acl.attrArn,
    });
  }
}

/** Counts what a rule refused; samples of requests would hold users' ids. */
function visible(metricName: string): wafv2.CfnWebACL.VisibilityConfigProperty {
  return { cloudWatchMetricsEnabled: true, metricName, sampledRequestsEnabled: false };
}
