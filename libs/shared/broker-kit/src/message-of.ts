/** What was caught, in words. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = (error as NodeJS.ErrnoException).code
  // An AggregateError (both address families refused) has no message of its own.
  return error.message || code || error.name
}
