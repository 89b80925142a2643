import type { ApiSettings, Environment, FrontName } from '../environments.js';
import { type Fault, oneOf } from './fault.js';

/** Settings that some fronts keep, and others cannot. */
type Kept = 'accountLogsRole' | 'allowedNetworks' | 'webAcl';

/** What each front keeps of them. */
const KEEPS: Readonly<Record<FrontName, readonly Kept[]>> = {
  rest: ['accountLogsRole', 'allowedNetworks', 'webAcl'],
  http: [],
};

/** What to do without one of them. */
const INSTEAD: Readonly<Record<Kept, string>> = {
  accountLogsRole: 'only a REST API writes its log by a role of the account: leave it out',
  allowedNetworks: "nobody is refused by network: say 'anyone', or choose rest",
  webAcl: 'AWS WAF cannot stand before it: say false, or choose rest',
};

/** What stands before the api, and whether it can keep what else is set. */
export function ofFront({ api }: Environment): Fault[] {
  const { accountLogsRole, front } = api;
  if (!(front in KEEPS)) {
    return [oneOf('api.front', front, Object.keys(KEEPS))];
  }
  const set = settings(api);
  const unkept = (Object.keys(set) as Kept[]).map((name): Fault => {
    const isLost = set[name] && !KEEPS[front].includes(name);
    return [`api.${name}`, isLost, `api.front is ${front}: ${INSTEAD[name]}`];
  });
  return [
    ...unkept,
    [
      'api.accountLogsRole',
      front === 'rest' && accountLogsRole === undefined,
      "say 'create', or 'exists' where the account has a role for the logs of API Gateway",
    ],
    ...(accountLogsRole === undefined ? [] : [oneOf('api.accountLogsRole', accountLogsRole, ['create', 'exists'])]),
  ];
}

/** Which of them are set. */
function settings(api: ApiSettings): Record<Kept, boolean> {
  return {
    accountLogsRole: api.accountLogsRole !== undefined,
    allowedNetworks: typeof api.allowedNetworks === 'object',
    webAcl: api.webAcl,
  };
}
