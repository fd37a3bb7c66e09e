/** Errors as Binance spells them: a code, a text, an HTTP status. */
export class BinanceError extends Error {
  override readonly name = 'BinanceError'
  readonly code: number
  readonly status: number
  /** Seconds for `Retry-After`. */
  readonly retryAfter: number | undefined

  constructor(code: number, message: string, status = 400, retryAfter?: number) {
    super(message)
    this.code = code
    this.status = status
    this.retryAfter = retryAfter
  }
}

export const errors = {
  unknown: () => new BinanceError(-1000, 'An unknown error occurred while processing the request.', 500),
  tooMuchWeight: (limit: number, retryAfter: number) =>
    new BinanceError(
      -1003,
      `Too much request weight used; current limit is ${limit} request weight per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API.`,
      429,
      retryAfter,
    ),
  banned: (untilMs: number, retryAfter: number) =>
    new BinanceError(
      -1003,
      `Way too much request weight used; IP banned until ${untilMs}. Please use WebSocket Streams for live updates to avoid bans.`,
      418,
      retryAfter,
    ),
  timeout: () =>
    new BinanceError(
      -1007,
      'Timeout waiting for response from backend server. Send status unknown; execution status unknown.',
      504,
    ),
  filter: (name: string) => new BinanceError(-1013, `Filter failure: ${name}`),
  tooManyOrders: (limit: number, interval: string, retryAfter: number) =>
    new BinanceError(-1015, `Too many new orders; current limit is ${limit} orders per ${interval}.`, 429, retryAfter),
  gone: () => new BinanceError(-1016, 'This service is no longer available.', 410),
  unsupported: () => new BinanceError(-1020, 'This operation is not supported.'),
  outsideWindow: () => new BinanceError(-1021, 'Timestamp for this request is outside of the recvWindow.'),
  aheadOfTime: () => new BinanceError(-1021, "Timestamp for this request was 1000ms ahead of the server's time."),
  signature: () => new BinanceError(-1022, 'Signature for this request is not valid.'),
  illegal: (name: string, range: string) =>
    new BinanceError(-1100, `Illegal characters found in parameter '${name}'; legal range is '${range}'.`),
  duplicateParameter: () => new BinanceError(-1101, 'Duplicate values for a parameter detected.'),
  missing: (name: string) =>
    new BinanceError(-1102, `Mandatory parameter '${name}' was not sent, was empty/null, or malformed.`),
  missingEither: (a: string, b: string) =>
    new BinanceError(-1102, `Param '${a}' or '${b}' must be sent, but both were empty/null!`),
  unread: (read: number, sent: number) =>
    new BinanceError(-1104, `Not all sent parameters were read; read '${read}' parameter(s) but was sent '${sent}'.`),
  empty: (name: string) => new BinanceError(-1105, `Parameter '${name}' was empty.`),
  notRequired: (name: string) => new BinanceError(-1106, `Parameter '${name}' sent when not required.`),
  precision: (name: string) => new BinanceError(-1111, `Parameter '${name}' has too much precision.`),
  timeInForce: () => new BinanceError(-1115, 'Invalid timeInForce.'),
  orderType: () => new BinanceError(-1116, 'Invalid orderType.'),
  side: () => new BinanceError(-1117, 'Invalid side.'),
  interval: () => new BinanceError(-1120, 'Invalid interval.'),
  symbol: () => new BinanceError(-1121, 'Invalid symbol.'),
  tooManyHours: (hours: number) => new BinanceError(-1127, `More than ${hours} hours between startTime and endTime.`),
  combination: () => new BinanceError(-1128, 'Combination of optional parameters invalid.'),
  invalid: (name: string) => new BinanceError(-1130, `Data sent for parameter '${name}' is not valid.`),
  recvWindow: () => new BinanceError(-1131, 'recvWindow must be less than 60000.'),
  cancelRestrictions: () => new BinanceError(-1145, 'Invalid cancelRestrictions'),
  rejected: (message: string) => new BinanceError(-2010, message),
  cancelRejected: (message = 'Unknown order sent.') => new BinanceError(-2011, message),
  noOrder: () => new BinanceError(-2013, 'Order does not exist.'),
  keyFormat: () => new BinanceError(-2014, 'API-key format invalid.', 401),
  key: () => new BinanceError(-2015, 'Invalid API-key, IP, or permissions for action.', 401),
  subscribed: () => new BinanceError(-2035, 'User Data Stream subscription already active.'),
  notSubscribed: () => new BinanceError(-2036, 'User Data Stream subscription not active.'),
} as const

export function errorBody(error: BinanceError): { code: number; msg: string } {
  return { code: error.code, msg: error.message }
}
