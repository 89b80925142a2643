import { isIPv6 } from 'node:net';

/** Whether a network is one of IPv6. */
export function isSix(network: string): boolean {
  return isIPv6(network.replace(/\/.*/, ''));
}

/** A network as AWS WAF and EC2 have it, which take no address without its bits. */
export function withBits(network: string): string {
  return network.includes('/') ? network : `${network}/${isSix(network) ? 128 : 32}`;
}
