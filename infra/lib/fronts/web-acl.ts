import * as wafv2 from 'aws-cdk-lib/aws-wafv2';
import { Construct } from 'constructs';

import type { AddressSettings } from '../environments.js';
import { isSix, withBits } from './networks.js';

/** Groups of rules that AWS keeps: known bad senders, and what only attackers send. */
const MANAGED_RULES = ['AWSManagedRulesAmazonIpReputationList', 'AWSManagedRulesKnownBadInputsRuleSet'];

/** The time in which calls of an address are counted. */
const WINDOW_SECONDS = 300;

export interface WebAclProps {
  /** ARN of what it stands before. */
  readonly resourceArn: string;
  /** Whom it limits, and to what; nobody if left out. */
  readonly perAddress: AddressSettings | undefined;
}

/**
 * AWS WAF in front of the api. By itself it limits no address: Braze makes its calls from a few, tens
 * of thousands a second, at times from one only. Who knows which they are can limit all others.
 */
export class WebAcl extends Construct {
  constructor(scope: Construct, id: string, { perAddress, resourceArn }: WebAclProps) {
    super(scope, id);
    const managed = MANAGED_RULES.map((name) => ({
      name,
      overrideAction: { none: {} },
      statement: { managedRuleGroupStatement: { name, vendorName: 'AWS' } },
    }));
    const rules = [...(perAddress === undefined ? [] : [this.limit(perAddress)]), ...managed];
    const acl = new wafv2.CfnWebACL(this, 'Acl', {
      defaultAction: { allow: {} },
      description: 'In front of the api that Braze calls',
      rules: rules.map((rule, priority) => ({ ...rule, priority, visibilityConfig: visible(rule.name) })),
      scope: 'REGIONAL',
      visibilityConfig: visible('Api'),
    });
    new wafv2.CfnWebACLAssociation(this, 'Association', {
      resourceArn,
      webAclArn: acl.attrArn,
    });
  }

  private limit({ calls, except }: AddressSettings) {
    // A set is of one version of addresses.
    const [six, four] = [except.filter(isSix), except.filter((network) => !isSix(network))];
    const sets = [this.set('Four', 'IPV4', four), this.set('Six', 'IPV6', six)].flat();
    const named = sets.map(({ attrArn }) => ({ ipSetReferenceStatement: { arn: attrArn } }));
    const [only, ...more] = named;
    return {
      name: 'PerAddress',
      action: { block: {} },
      statement: {
        rateBasedStatement: {
          aggregateKeyType: 'IP',
          evaluationWindowSec: WINDOW_SECONDS,
          limit: calls,
          scopeDownStatement: {
            notStatement: {
              statement: only !== undefined && more.length === 0 ? only : { orStatement: { statements: named } },
            },
          },
        },
      },
    };
  }

  private set(id: string, ipAddressVersion: 'IPV4' | 'IPV6', networks: readonly string[]): wafv2.CfnIPSet[] {
    const addresses = networks.map((network) => withBits(network));
    return addresses.length === 0
      ? []
      : [new wafv2.CfnIPSet(this, id, { addresses, ipAddressVersion, scope: 'REGIONAL' })];
  }
}

/** Counts what a rule refused; samples of requests would hold users' ids. */
function visible(metricName: string): wafv2.CfnWebACL.VisibilityConfigProperty {
  return { cloudWatchMetricsEnabled: true, metricName, sampledRequestsEnabled: false };
}
