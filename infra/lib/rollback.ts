/** Name of what callers call: a deployment moves it to a new version, and a rollback to the one before. */
export const LIVE = 'live';
