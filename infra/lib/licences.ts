/**
 * What npm packages may have beside the licences of `deny.toml`. Those that have these build and test, and
 * nothing of them is deployed or given on, so that conditions on who does so (MPL) bind nobody here.
 */
export const ALSO_FOR_TOOLS = ['BlueOak-1.0.0', 'MPL-2.0', 'Unlicense'];

/** A package as `cargo metadata` tells of it, as far as it matters here. */
export interface Package {
  readonly name: string;
  readonly version: string;
  /** An expression of SPDX, or an older one with slashes; none if the package names no licence. */
  readonly license: string | null;
}

/** What npm's lock file says of its packages: the licence that each named when it was locked. */
export interface Lock {
  readonly packages: Readonly<Record<string, { readonly license?: string; readonly version?: string }>>;
}

/** The packages of a lock file, by the folders that they are installed to. */
export function locked({ packages }: Lock): Package[] {
  return Object.entries(packages)
    // The first is the folder itself.
    .filter(([path]) => path !== '')
    .map(([path, { license = null, version = '' }]) => ({ name: path.replace(/^.*node_modules\//, ''), version, license }));
}

/** What of the packages may not be used under any of the licences, and why. */
export function refused(packages: readonly Package[], allowed: readonly string[]): string[] {
  return packages
    .filter(({ license }) => license === null || !isAllowed(license, allowed))
    .map(({ license, name, version }) => `${name} ${version}: ${license ?? 'it names no licence'}`);
}

/**
 * Tells whether an expression leaves a choice that is allowed: of `OR` one side, of `AND` both.
 * `WITH` belongs to the licence before it, and the slash of older packages means `OR`.
 * <https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/>
 */
export function isAllowed(expression: string, allowed: readonly string[]): boolean {
  const words = expression.replaceAll('/', ' OR ').match(/[()]|[^()\s]+/g) ?? [];
  const take = (word: string) => words[0] === word && words.shift() !== undefined;

  function either(): boolean {
    let holds = both();
    while (take('OR')) {
      // Read in any case: what stands behind it would be left over otherwise.
      const other = both();
      holds ||= other;
    }
    return holds;
  }

  function both(): boolean {
    let holds = one();
    while (take('AND')) {
      const other = one();
      holds &&= other;
    }
    return holds;
  }

  function one(): boolean {
    if (take('(')) {
      const holds = either();
      return take(')') && holds;
    }
    const licence = words.shift() ?? '';
    return allowed.includes(take('WITH') ? `${licence} WITH ${words.shift() ?? ''}` : licence);
  }

  const holds = either();
  return holds && words.length === 0;
}
