import { Match } from 'aws-cdk-lib/assertions';
import { expect, test } from 'vitest';

import { ALB, CERTIFICATE, example, FRONTS, VARIANTS } from '../example.js';
import { alarm } from '../watched.js';

const { template } = example(FRONTS.alb);
const { template: closed } = example(VARIANTS['a load balancer for some networks']);

/** Who gets in, and where. */
function doors(of: typeof template): unknown[] {
  const [group] = Object.values(of.findResources('AWS::EC2::SecurityGroup'));
  const rules: Record<string, unknown>[] = group?.Properties.SecurityGroupIngress;
  return rules.map(({ CidrIp, FromPort, ToPort }) => [CidrIp, FromPort, ToPort]);
}

test('it stands where an operator says, and listens to TLS 1.2 and 1.3 alone', () => {
  template.hasResourceProperties('AWS::ElasticLoadBalancingV2::LoadBalancer', {
    Scheme: 'internet-facing',
    Subnets: ALB.subnetIds,
    Type: 'application',
  });
  template.hasResourceProperties('AWS::EC2::SecurityGroup', { VpcId: ALB.vpcId });
  template.resourceCountIs('AWS::ElasticLoadBalancingV2::Listener', 1);
  template.hasResourceProperties('AWS::ElasticLoadBalancingV2::Listener', {
    Certificates: [{ CertificateArn: CERTIFICATE }],
    Port: 443,
    Protocol: 'HTTPS',
    SslPolicy: 'ELBSecurityPolicy-TLS13-1-2-2021-06',
  });
});

test('who is not on the list of networks does not even connect, if there is one', () => {
  expect(doors(template)).toEqual([['0.0.0.0/0', 443, 443]]);
  expect(doors(closed)).toEqual([
    ['192.0.2.0/24', 443, 443],
    ['198.51.100.7/32', 443, 443],
  ]);
});

test('it calls nobody over the network', () => {
  const [group] = Object.values(template.findResources('AWS::EC2::SecurityGroup'));

  expect(group?.Properties.SecurityGroupEgress).toEqual([expect.objectContaining({ CidrIp: '255.255.255.255/32' })]);
});

test('it drops headers that are none, and keeps no log, which would hold the query that names a user', () => {
  const [balancer] = Object.values(template.findResources('AWS::ElasticLoadBalancingV2::LoadBalancer'));
  const attributes = Object.fromEntries(
    balancer?.Properties.LoadBalancerAttributes.map(({ Key, Value }: Record<string, string>) => [Key, Value]),
  );

  expect(attributes).toEqual({
    'access_logs.s3.enabled': 'false',
    'connection_logs.s3.enabled': 'false',
    'routing.http.drop_invalid_header_fields.enabled': 'true',
  });
});

test('the functions are called for callers only, each header once', () => {
  const groups = Object.values(template.findResources('AWS::ElasticLoadBalancingV2::TargetGroup'));

  expect(groups.map(({ Properties }) => Properties.Targets[0].Id.Ref.replace(/[0-9A-F]{8}$/, '')).sort()).toEqual([
    'ApiProgramLive',
    'EventsDoorProgramLive',
  ]);
  for (const { Properties } of groups) {
    expect(Properties).toMatchObject({
      HealthCheckEnabled: false,
      TargetGroupAttributes: [{ Key: 'lambda.multi_value_headers.enabled', Value: 'false' }],
      TargetType: 'lambda',
    });
  }
});

test('a function may be called before it is registered, by load balancers of this account', () => {
  const permissions = template.findResources('AWS::Lambda::Permission', {
    Properties: { Principal: 'elasticloadbalancing.amazonaws.com' },
  });

  expect(Object.keys(permissions)).toHaveLength(2);
  for (const { Properties } of Object.values(permissions)) {
    expect(Properties).toMatchObject({ Action: 'lambda:InvokeFunction', SourceAccount: { Ref: 'AWS::AccountId' } });
  }
  const groups = Object.values(template.findResources('AWS::ElasticLoadBalancingV2::TargetGroup'));
  expect(groups.flatMap((group) => group['DependsOn']).sort()).toEqual(Object.keys(permissions).sort());
});

test('posts go to one function and all else of its name to the other; other names start none', () => {
  const rules = Object.values(template.findResources('AWS::ElasticLoadBalancingV2::ListenerRule'));
  const of = (priority: number) => {
    const rule = rules.find(({ Properties }) => Properties.Priority === priority)?.Properties;
    return [rule.Actions[0].TargetGroupArn.Ref.replace(/[0-9A-F]{8}$/, ''), rule.Conditions];
  };
  const host = { Field: 'host-header', HostHeaderConfig: { Values: ['content.example.com'] } };

  expect(rules).toHaveLength(2);
  expect(of(1)).toEqual([
    'ApiPosts',
    [
      host,
      { Field: 'path-pattern', PathPatternConfig: { Values: ['/events'] } },
      { Field: 'http-request-method', HttpRequestMethodConfig: { Values: ['POST'] } },
    ],
  ]);
  expect(of(2)).toEqual(['ApiLookUps', [host]]);
  template.hasResourceProperties('AWS::ElasticLoadBalancingV2::Listener', {
    DefaultActions: [{ FixedResponseConfig: { StatusCode: '404' }, Type: 'fixed-response' }],
  });
});

test('AWS WAF stands in front if an operator asks for it', () => {
  template.hasResourceProperties('AWS::WAFv2::WebACLAssociation', {
    ResourceArn: { Ref: Match.stringLikeRegexp('^ApiLoadBalancer') },
  });
  closed.resourceCountIs('AWS::WAFv2::WebACL', 0);
});

test('the DNS is told where to point', () => {
  template.hasOutput('*', { Value: { 'Fn::GetAtt': [Match.stringLikeRegexp('^ApiLoadBalancer'), 'DNSName'] } });
});

test('look-ups that fail are counted apart from posts, also where the load balancer answers by itself', () => {
  const { properties } = alarm(template, 'look-ups-failing');
  const of = (metric: string) =>
    properties['Metrics']
      .filter(({ MetricStat }: any) => MetricStat?.Metric.MetricName === metric)
      .map(({ MetricStat }: any) => MetricStat.Metric.Dimensions.map(({ Name }: any) => Name).join());

  // Of the load balancer as a whole, and of the group of posts, which is taken off.
  expect(of('HTTPCode_Target_5XX_Count').sort()).toEqual(['LoadBalancer', 'LoadBalancer,TargetGroup']);
  expect(of('HTTPCode_ELB_5XX_Count')).toEqual(['LoadBalancer']);
  expect(JSON.stringify(properties['Metrics'])).not.toContain('ApiLookUps');
});
