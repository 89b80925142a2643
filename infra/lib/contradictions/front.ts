import type { AlbSettings, ApiSettings, Environment, FrontName } from '../environments.js';
import { isSix } from '../fronts/networks.js';
import { ofHost } from './api.js';
import { type Fault, oneOf } from './fault.js';

/** Settings that some fronts keep, and others cannot. */
type Kept = 'accountLogsRole' | 'alb' | 'allowedNetworks' | 'domain' | 'throttle' | 'webAcl';

/** What each front keeps of them. */
const KEEPS: Readonly<Record<FrontName, readonly Kept[]>> = {
  rest: ['accountLogsRole', 'allowedNetworks', 'domain', 'throttle', 'webAcl'],
  http: ['domain', 'throttle'],
  alb: ['alb', 'allowedNetworks', 'webAcl'],
  url: [],
};

/** What each front cannot do without. */
const NEEDS: Readonly<Record<FrontName, readonly ('accountLogsRole' | 'alb' | 'maxInstances' | 'throttle')[]>> = {
  rest: ['accountLogsRole', 'throttle'],
  http: ['throttle'],
  alb: ['alb', 'maxInstances'],
  url: ['maxInstances'],
};

/** What to do without one of them. */
const INSTEAD: Readonly<Record<Kept, string>> = {
  accountLogsRole: 'only a REST API writes its log by a role of the account: leave it out',
  alb: 'is about a load balancer, which this front is not: leave it out, or choose alb',
  allowedNetworks: "nobody is refused by network: say 'anyone', or choose rest or alb",
  domain: 'has no such address: leave it out (alb has its hostName), or choose rest or http',
  throttle: 'nothing counts calls: leave it out, and let api.maxInstances limit them, or choose rest or http',
  webAcl: 'AWS WAF cannot stand before it: say false, or choose rest or alb',
};

/** What to say where one of them is missing. */
const MISSING = {
  accountLogsRole: "say 'create', or 'exists' where the account has a role for the logs of API Gateway",
  alb: 'say where the load balancer stands: vpcId, subnetIds, certificateArn and hostName',
  maxInstances: 'nothing else limits the look-ups: say how many may run at a time',
  throttle: 'say how many look-ups it lets through: rate and burst',
} as const;

/** Rules of a security group by default, each for one network. */
const MOST_NETWORKS = 60;

/** What stands before the api, and whether it can keep what else is set. */
export function ofFront({ api, production, region }: Environment): Fault[] {
  const { accountLogsRole, alb, allowedNetworks, front } = api;
  if (!(front in KEEPS)) {
    return [oneOf('api.front', front, Object.keys(KEEPS))];
  }
  const set = settings(api);
  const unkept = (Object.keys(set) as Kept[]).map(
    (name): Fault => {
      const isLost = set[name] && !KEEPS[front].includes(name);
      return [`api.${name}`, isLost, `api.front is ${front}: ${INSTEAD[name]}`];
    },
  );
  const missing = NEEDS[front].map((name): Fault => {
    // Production must have it behind every front, and is told so once.
    const isTold = name === 'maxInstances' && production;
    return [`api.${name}`, api[name] === undefined && !isTold, `api.front is ${front}: ${MISSING[name]}`];
  });
  return [
    ...unkept,
    ...missing,
    ...(accountLogsRole === undefined ? [] : [oneOf('api.accountLogsRole', accountLogsRole, ['create', 'exists'])]),
    ...(front === 'alb' && alb !== undefined ? ofAlb(alb, allowedNetworks, region) : []),
  ];
}

/** Which of them are set. */
function settings(api: ApiSettings): Record<Kept, boolean> {
  return {
    accountLogsRole: api.accountLogsRole !== undefined,
    alb: api.alb !== undefined,
    allowedNetworks: typeof api.allowedNetworks === 'object',
    domain: api.domain !== undefined,
    throttle: api.throttle !== undefined,
    webAcl: api.webAcl,
  };
}

function ofAlb(
  { certificateArn, hostName, subnetIds, vpcId }: AlbSettings,
  allowedNetworks: ApiSettings['allowedNetworks'],
  region?: string,
): Fault[] {
  const networks = typeof allowedNetworks === 'object' ? allowedNetworks : [];
  return [
    ['api.alb', !/^vpc-[0-9a-f]+$/.test(vpcId), 'vpcId is the id of a network, e.g. vpc-0123456789abcdef0'],
    [
      'api.alb',
      new Set(subnetIds).size < 2 || subnetIds.some((id) => !/^subnet-[0-9a-f]+$/.test(id)),
      'subnetIds are two public subnets or more, in different availability zones, e.g. subnet-0123456789abcdef0',
    ],
    ...ofHost('api.alb', { name: 'hostName', host: hostName, certificateArn }, region),
    [
      'api.allowedNetworks',
      networks.some(isSix),
      'the load balancer has addresses of IPv4 only, so that no network of IPv6 can call: leave those out',
    ],
    [
      'api.allowedNetworks',
      networks.length > MOST_NETWORKS,
      `a security group has ${MOST_NETWORKS} rules: put networks together, or choose rest`,
    ],
  ];
}
