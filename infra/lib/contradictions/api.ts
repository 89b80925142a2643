import { BlockList, isIP } from 'node:net';

import type { ApiSettings, DomainSettings, Environment } from '../environments.js';
import { type Fault, isElsewhere, oneOf, within } from './fault.js';

/** Longest that an instance serves content again without looking: deletions wait that long. */
const LONGEST_CACHE_SECONDS = 3600;

/**
 * Calls that an instance takes in a second, however short they are.
 * <https://docs.aws.amazon.com/lambda/latest/dg/scaling-behavior.html>
 */
const CALLS_OF_AN_INSTANCE = 10;

/** Networks whose addresses never come over the Internet, where the api is called. */
const NEVER_SEEN = new BlockList();
for (const [network, bits] of [
  ['10.0.0.0', 8],
  ['127.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
] as const) {
  NEVER_SEEN.addSubnet(network, bits);
}
NEVER_SEEN.addSubnet('fc00::', 7, 'ipv6');

/** Base paths that API Gateway keeps for itself. */
const KEPT_PATHS = ['ping', 'sping'];

/** Who may look users up, where, and what they get. */
export function ofApi({ api, production, region }: Environment): Fault[] {
  const { allowedNetworks, cacheSeconds, domain, throttle, unknownUser } = api;
  return [
    oneOf('api.unknownUser', unknownUser, ['fallback', 'not-found']),
    [
      'api.cacheSeconds',
      !within(cacheSeconds, 0, LONGEST_CACHE_SECONDS),
      `is 0 to ${LONGEST_CACHE_SECONDS}`,
    ],
    [
      'api.throttle',
      throttle !== undefined && !(throttle.rate > 0 && within(throttle.burst, 1, Number.MAX_SAFE_INTEGER)),
      'lets no look-up through: give rate and burst',
    ],
    ...ofInstances(api, production),
    [
      'api.allowedNetworks',
      production && allowedNetworks === undefined,
      "production decides who may call: name the addresses that Braze publishes for your instance (docs/deployment.md), or say 'anyone'",
    ],
    ...(typeof allowedNetworks === 'object' ? ofNetworks('api.allowedNetworks', allowedNetworks) : []),
    ...ofAddresses(api),
    ...(domain === undefined ? [] : ofDomain(domain, region)),
  ];
}

/** A list of networks of the Internet. */
function ofNetworks(setting: string, networks: readonly string[]): Fault[] {
  const unclear = networks.filter((network) => !isNetwork(network));
  return [
    [setting, networks.length === 0, "lets nobody in: name networks, or say 'anyone'"],
    [setting, unclear.length > 0, `${unclear.join(', ')}: is an address and its bits, e.g. 192.0.2.0/24`],
    [
      setting,
      networks.some((network) => isNetwork(network) && isNeverSeen(network)),
      'holds a private network, from which nobody can call: name the addresses that the Internet sees',
    ],
    [
      setting,
      networks.some((network) => isNetwork(network) && network.endsWith('/0')),
      "lets everybody in: say 'anyone', if that is meant",
    ],
  ];
}

/** A limit by address, which Braze must not meet. */
function ofAddresses({ perAddress, webAcl }: ApiSettings): Fault[] {
  if (perAddress === undefined) {
    return [];
  }
  const { calls, except } = perAddress;
  return [
    ['api.perAddress', !webAcl, 'is kept by AWS WAF: set webAcl, or leave it out'],
    ['api.perAddress', !within(calls, 10, 2_000_000_000), 'calls of five minutes are 10 to 2000000000'],
    [
      'api.perAddress',
      except.length === 0,
      'would limit Braze, which may make all of its calls from one address: name its networks in except',
    ],
    ...(except.length === 0 ? [] : ofNetworks('api.perAddress', except)),
  ];
}

/** How many look-ups run at a time, and whether that is enough for those that are let through. */
function ofInstances({ maxInstances, throttle }: ApiSettings, production: boolean): Fault[] {
  const most = (maxInstances ?? Infinity) * CALLS_OF_AN_INSTANCE;
  return [
    [
      'api.maxInstances',
      production && maxInstances === undefined,
      "a flood of look-ups would take all of the account's concurrency, and files and events would wait: say how many may run at a time",
    ],
    [
      'api.maxInstances',
      maxInstances !== undefined && !within(maxInstances, 1, Number.MAX_SAFE_INTEGER),
      'at least one instance must run',
    ],
    [
      'api.throttle',
      throttle !== undefined && most >= CALLS_OF_AN_INSTANCE && Math.max(throttle.rate, throttle.burst) > most,
      `lets through more than ${maxInstances} instances take, which Lambda would refuse with 500: set rate and burst to ${most} or less, or raise api.maxInstances`,
    ],
  ];
}

/** A name, and the certificate that the stack shows for it. */
export function ofHost(
  setting: string,
  { certificateArn, host, name }: { readonly name: string; readonly host: string; readonly certificateArn: string },
  region?: string,
): Fault[] {
  const isCertificate = /^arn:[^:]+:acm:[^:]+:\d{12}:certificate\/./.test(certificateArn);
  return [
    [
      setting,
      !/^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z0-9-]{2,}$/.test(host),
      `${name} is a host's name in lower case, e.g. content.example.com`,
    ],
    [setting, !isCertificate, 'certificateArn is the ARN of a certificate in AWS Certificate Manager'],
    [
      setting,
      isCertificate && isElsewhere(certificateArn, region),
      `the certificate must be in the region of the stage, ${region}`,
    ],
  ];
}

function ofDomain({ basePath, certificateArn, name }: DomainSettings, region?: string): Fault[] {
  return [
    ...ofHost('api.domain', { name: 'name', host: name, certificateArn }, region),
    [
      'api.domain',
      basePath !== undefined && (!/^[\w-]+$/.test(basePath) || KEPT_PATHS.includes(basePath)),
      `basePath is one word of letters, digits, hyphens and underscores, and not ${KEPT_PATHS.join(' or ')}; leave it out for none`,
    ],
  ];
}

function isNetwork(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/');
  const most = isIP(address) === 6 ? 128 : 32;
  const isWidth = bits === undefined || (/^\d+$/.test(bits) && within(Number(bits), 0, most));
  return isIP(address) !== 0 && isWidth && rest.length === 0;
}

function isNeverSeen(network: string): boolean {
  const [address = ''] = network.split('/');
  return NEVER_SEEN.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}
