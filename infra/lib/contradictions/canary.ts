import type { AskedOfBedrock } from '../campaigns.js';
import type { Environment } from '../environments.js';
import type { Fault } from './fault.js';

/** Whether what the canary posts and looks up can arrive. */
export function ofCanary({ api, canary }: Environment, { campaigns }: AskedOfBedrock): Fault[] {
  if (canary === undefined) {
    return [];
  }
  return [
    [
      'canary.campaign',
      !campaigns.includes(canary.campaign),
      `is none of ${campaigns.join(', ')}: copy examples/canary/campaigns/canary to your campaigns, or leave canary out`,
    ],
    [
      'canary',
      typeof api.allowedNetworks === 'object',
      'calls from addresses of AWS that change, which api.allowedNetworks refuses: leave one of the two out',
    ],
  ];
}
