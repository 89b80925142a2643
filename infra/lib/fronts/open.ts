/**
 * What wrong paths, `/health` and `/openapi.json` get in a second of a front that can throttle them, as none
 * of them asks for credentials: enough for whoever watches, and too little for a flood.
 */
export const OPEN = { rate: 10, burst: 20 };
