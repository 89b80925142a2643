import { Aws, CfnOutput } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as elb from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';

import { PERIOD } from '../alarms.js';
import type { AlbSettings, ApiSettings } from '../environments.js';
import { acknowledge } from '../findings.js';
import type { Program } from '../program.js';
import { lessPosts, lessUnknownUsers } from './counts.js';
import { certain, type Front, type FrontProps, type LookUps, type Posts, POSTS } from './front.js';
import { withBits } from './networks.js';
import { WebAcl } from './web-acl.js';

/** Where it listens; nothing is said in the clear, so nothing listens at 80. */
const PORT = 443;

/** As the load balancer has its settings; all of these are texts. */
const ATTRIBUTES = {
  // Its logs hold the whole URL, and in its query the user's id.
  'access_logs.s3.enabled': 'false',
  'connection_logs.s3.enabled': 'false',
  'routing.http.drop_invalid_header_fields.enabled': 'true',
};

/** Application Load Balancer: paid by the hour and by what passes, and without a throttle. */
export class AlbFront implements Front {
  readonly address: string;
  readonly url: string;
  readonly lookUps: LookUps;

  private readonly balancer: elb.CfnLoadBalancer;
  private readonly looking: elb.CfnTargetGroup;
  private readonly posting: elb.CfnTargetGroup;

  constructor(
    private readonly scope: Construct,
    props: FrontProps,
  ) {
    const { api } = props.environment;
    const settings = certain('alb', api.alb);
    this.balancer = this.loadBalancer(settings, this.securityGroup(settings, api.allowedNetworks));
    this.looking = this.group('LookUps');
    this.posting = this.group('Posts');
    this.listen(settings);
    register(this.looking, props.program.live);
    if (api.webAcl) {
      new WebAcl(this.scope, 'WebAcl', { resourceArn: this.balancer.ref, perAddress: api.perAddress });
    }
    this.lookUps = this.count(props);
    this.address = this.url = `https://${settings.hostName}/`;
    new CfnOutput(this.scope, 'Target', {
      description: `Where the DNS of ${settings.hostName} must point, by CNAME or alias`,
      value: this.balancer.attrDnsName,
    });
  }

  take(posts: lambda.Alias): Posts {
    register(this.posting, posts);
    return { url: `${this.url}${POSTS}`, count: this.of(this.posting, 'RequestCount') };
  }

  private securityGroup({ vpcId }: AlbSettings, networks: ApiSettings['allowedNetworks']): ec2.CfnSecurityGroup {
    const open = Array.isArray(networks) ? networks.map(withBits) : ['0.0.0.0/0'];
    const group = new ec2.CfnSecurityGroup(this.scope, 'SecurityGroup', {
      groupDescription: 'Who may call the api',
      vpcId,
      securityGroupIngress: open.map((network) => ({
        cidrIp: network,
        description: 'api.allowedNetworks',
        fromPort: PORT,
        ipProtocol: 'tcp',
        toPort: PORT,
      })),
      // The load balancer calls functions by itself, and nothing over the network; without a rule it might.
      securityGroupEgress: [
        { cidrIp: '255.255.255.255/32', description: 'Nobody', fromPort: 252, ipProtocol: 'icmp', toPort: 86 },
      ],
    });
    if (!Array.isArray(networks)) {
      acknowledge(group, 'EC23', "the setting allowedNetworks says 'anyone'; the functions check credentials");
    }
    return group;
  }

  private loadBalancer({ subnetIds }: AlbSettings, group: ec2.CfnSecurityGroup): elb.CfnLoadBalancer {
    const balancer = new elb.CfnLoadBalancer(this.scope, 'LoadBalancer', {
      ipAddressType: 'ipv4',
      loadBalancerAttributes: Object.entries(ATTRIBUTES).map(([key, value]) => ({ key, value })),
      scheme: 'internet-facing',
      securityGroups: [group.attrGroupId],
      subnets: [...subnetIds],
      type: 'application',
    });
    acknowledge(balancer, 'ELB2', 'access logs hold whole URLs, and so the ids of users');
    return balancer;
  }

  private group(id: string): elb.CfnTargetGroup {
    return new elb.CfnTargetGroup(this.scope, id, {
      // Each check would be a call of the function, at its price.
      healthCheckEnabled: false,
      targetGroupAttributes: [{ key: 'lambda.multi_value_headers.enabled', value: 'false' }],
      targetType: 'lambda',
    });
  }

  /**
   * Whoever tries addresses knows no host, and starts no function: what is not for the api's name ends here.
   * <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html>
   */
  private listen({ certificateArn, hostName }: AlbSettings): void {
    const listener = new elb.CfnListener(this.scope, 'Listener', {
      certificates: [{ certificateArn }],
      defaultActions: [{ type: 'fixed-response', fixedResponseConfig: { statusCode: '404' } }],
      loadBalancerArn: this.balancer.ref,
      port: PORT,
      protocol: 'HTTPS',
      sslPolicy: elb.SslPolicy.RECOMMENDED_TLS,
    });
    const host = { field: 'host-header', hostHeaderConfig: { values: [hostName] } };
    const posts = [
      { field: 'path-pattern', pathPatternConfig: { values: [`/${POSTS}`] } },
      { field: 'http-request-method', httpRequestMethodConfig: { values: ['POST'] } },
    ];
    const rules = [
      { id: 'ToPosts', group: this.posting, conditions: [host, ...posts] },
      // The function answers other methods and paths with what would be right.
      { id: 'ToLookUps', group: this.looking, conditions: [host] },
    ];
    rules.forEach(({ conditions, group, id }, at) => {
      new elb.CfnListenerRule(this.scope, id, {
        actions: [{ type: 'forward', targetGroupArn: group.ref }],
        conditions,
        listenerArn: listener.ref,
        // In the order in which they stand above.
        priority: at + 1,
      });
    });
  }

  private count({ environment, program }: FrontProps): LookUps {
    const of = (name: string, statistic?: string) => this.of(this.looking, name, statistic);
    // Their alarm decides whether a version stays, and the group waits for the version: they cannot name the group.
    const measured = { count: this.lessPosts('RequestCount'), failed: this.failed(program) };
    return {
      ...measured,
      measured,
      refused: lessUnknownUsers(of('HTTPCode_Target_4XX_Count'), environment, program),
      latency: (statistic) => of('TargetResponseTime', statistic),
      latencyUnit: 's',
    };
  }

  /**
   * What the function answers with 5xx, and what the load balancer does: because the function fails or is not
   * started, or by itself, which is what is left of its count when posts are taken off. Of these, the more: a
   * post that is too large counts among the posts that are taken off, and is no 5xx.
   * <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html>
   */
  private failed({ function: own }: Program): cloudwatch.MathExpression {
    const ofFunction = 'FILL(errors, 0) + FILL(throttles, 0)';
    const ofBalancer = 'FILL(balancer, 0) - FILL(posts_user, 0) - FILL(posts_internal, 0)';
    return new cloudwatch.MathExpression({
      expression: `FILL(answered, 0) + MAX([${ofFunction}, ${ofBalancer}])`,
      label: 'failed',
      period: PERIOD,
      usingMetrics: {
        answered: this.lessPosts('HTTPCode_Target_5XX_Count'),
        errors: own.metricErrors({ period: PERIOD }),
        throttles: own.metricThrottles({ period: PERIOD }),
        balancer: this.metric('HTTPCode_ELB_5XX_Count'),
        posts_user: this.of(this.posting, 'LambdaUserError'),
        posts_internal: this.of(this.posting, 'LambdaInternalError'),
      },
    });
  }

  private lessPosts(metricName: string): cloudwatch.MathExpression {
    return lessPosts(metricName, { all: this.metric(metricName), posts: this.of(this.posting, metricName) });
  }

  private of(group: elb.CfnTargetGroup, metricName: string, statistic = 'Sum'): cloudwatch.Metric {
    return this.metric(metricName, statistic, { TargetGroup: group.attrTargetGroupFullName });
  }

  private metric(metricName: string, statistic = 'Sum', of: Record<string, string> = {}): cloudwatch.Metric {
    return new cloudwatch.Metric({
      namespace: 'AWS/ApplicationELB',
      metricName,
      dimensionsMap: { LoadBalancer: this.balancer.attrLoadBalancerFullName, ...of },
      period: PERIOD,
      statistic,
    });
  }
}

/** Lets load balancers of this account call a function: the permission must be there before the group is. */
function register(group: elb.CfnTargetGroup, live: lambda.Alias): void {
  live.addPermission('LoadBalancer', {
    principal: new iam.ServicePrincipal('elasticloadbalancing.amazonaws.com'),
    sourceAccount: Aws.ACCOUNT_ID,
  });
  group.targets = [{ id: live.functionArn }];
  group.node.addDependency(live.node.findChild('LoadBalancer'));
}
