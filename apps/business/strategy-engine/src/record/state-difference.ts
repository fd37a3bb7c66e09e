/** Where two states as JSON differ first, for a person. */
export type OtherPath = { readonly path: string; readonly a: string; readonly b: string }

export function firstOtherPath(a: string, b: string): OtherPath | undefined {
  return differ(JSON.parse(a), JSON.parse(b), '')
}

function differ(a: unknown, b: unknown, path: string): OtherPath | undefined {
  if (!isObject(a) || !isObject(b)) {
    const [x, y] = [shown(a), shown(b)]
    return x === y ? undefined : { path, a: x, b: y }
  }
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
    const found = differ(a[key], b[key], path === '' ? key : `${path}.${key}`)
    if (found !== undefined) return found
  }
  return undefined
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function shown(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value)
}
