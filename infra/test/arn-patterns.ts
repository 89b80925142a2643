/** A place in a pattern: one character, or a run of any number of those that it admits. */
type Place = string | RegExp;

/** Parts of every ARN, between colons; names may have some. */
const PARTS = ['Account', 'Partition', 'Region'];

/** Keys of objects and paths of methods go on behind further slashes; all other names end there. */
const LONG = ['ApiSpecificResourcePath', 'ObjectName'];

/**
 * Tells whether some ARN is meant both by `granted`, where an asterisk stands for any characters, and
 * by the pattern of a kind of resource, where `${Name}` stands for a name.
 */
export function overlaps(granted: string, kind: string): boolean {
  const ofGrant = [...granted].map((char): Place => (char === '*' ? /[^]/ : char));
  const ofKind = kind.split(/(\$\{\w+\})/).flatMap((part): Place[] => {
    const [, name] = /^\$\{(\w+)\}$/.exec(part) ?? [];
    return name === undefined ? [...part] : [run(name)];
  });
  return meet(ofGrant, ofKind);
}

function run(name: string): RegExp {
  if (PARTS.includes(name)) {
    return /[^/:]/;
  }
  return LONG.includes(name) ? /[^]/ : /[^/]/;
}

/** Tells whether both patterns mean some text, looked at from these places on. */
function meet(a: readonly Place[], b: readonly Place[], n = 0, m = 0): boolean {
  const [here, there] = [a[n], b[m]];
  if (here === undefined && there === undefined) {
    return true;
  }
  // A run may be over, after whatever it shares with the other.
  if ((here instanceof RegExp && meet(a, b, n + 1, m)) || (there instanceof RegExp && meet(a, b, n, m + 1))) {
    return true;
  }
  if (typeof here === 'string' && typeof there === 'string') {
    return here === there && meet(a, b, n + 1, m + 1);
  }
  if (here instanceof RegExp && typeof there === 'string') {
    return here.test(there) && meet(a, b, n, m + 1);
  }
  return typeof here === 'string' && there instanceof RegExp && there.test(here) && meet(a, b, n + 1, m);
}
