/** What Redis does in one step. Each script touches the keys of one name, which share a hash tag. */

const WEEK_MS = 604_800_000

export const SCRIPTS = {
  /** KEYS lock, fence. ARGV holder, ms to hold, floor. The token, or nothing while another holds it. */
  acquireLock: {
    numberOfKeys: 2,
    lua: `
      if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return false end
      local time = redis.call('TIME')
      local last = tonumber(redis.call('GET', KEYS[2]) or 0)
      -- The last one may be forgotten; the time goes on.
      local token = math.max(last + 1, time[1] * 1000000 + time[2], tonumber(ARGV[3]))
      local text = string.format('%.0f', token)
      redis.call('SET', KEYS[2], text, 'PX', ${WEEK_MS})
      return text`,
  },

  /** KEYS lock. ARGV holder, ms to hold. */
  renewLock: {
    numberOfKeys: 1,
    lua: `
      if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
      return redis.call('PEXPIRE', KEYS[1], ARGV[2])`,
  },

  /** KEYS lock. ARGV holder. */
  releaseLock: {
    numberOfKeys: 1,
    lua: `
      if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
      return redis.call('DEL', KEYS[1])`,
  },

  /** KEYS token, claim. ARGV holder, ms to claim (0: only look), valid past. The token, or whether the claim is ours. */
  lookForToken: {
    numberOfKeys: 2,
    lua: `
      local text = redis.call('GET', KEYS[1])
      if text and tonumber(string.match(text, '^%d+')) > tonumber(ARGV[3]) then return text end
      if ARGV[2] == '0' then return 0 end
      if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
      return 0`,
  },

  /** KEYS token, claim. ARGV holder, ms that the claim stands; and with a token: valid until, its text, ms to keep it. */
  endClaim: {
    numberOfKeys: 2,
    lua: `
      if ARGV[3] then
        local text = redis.call('GET', KEYS[1])
        if not text or tonumber(string.match(text, '^%d+')) <= tonumber(ARGV[3]) then
          redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5])
        end
      end
      if redis.call('GET', KEYS[2]) == ARGV[1] then
        if ARGV[2] == '0' then redis.call('DEL', KEYS[2]) else redis.call('PEXPIRE', KEYS[2], ARGV[2]) end
      end
      return 1`,
  },

  /** KEYS token. ARGV the value that was refused. */
  removeToken: {
    numberOfKeys: 1,
    lua: `
      local text = redis.call('GET', KEYS[1])
      if text and string.sub(text, string.find(text, ' ', 1, true) + 1) == ARGV[1] then redis.call('DEL', KEYS[1]) end
      return 1`,
  },

  /**
   * KEYS budget. ARGV now, margin, deadline; and for each window its key, start, shared limit, cost. Redis' time, and then the
   * numbers of the windows without room: none, and all are charged; or nothing when it is too late.
   *
   * A count is believed only in a window that began after this server process and this hash did (`since`, by the callers'
   * clock): a server that comes back, another one in its place, a flushed or evicted key may have forgotten what was granted.
   * What was held up on its way beyond its deadline (Redis' time) says nothing about now, and does nothing.
   */
  takeBudget: {
    numberOfKeys: 1,
    lua: `
      local budget = KEYS[1]
      local time = redis.call('TIME')
      local clock = time[1] * 1000000 + time[2]
      if clock > tonumber(ARGV[3]) then return false end
      local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
      local known = redis.call('HMGET', budget, 'run', 'since')
      local since = known[2]
      if not run or known[1] ~= run then
        since = ARGV[1]
        redis.call('DEL', budget)
        redis.call('HSET', budget, 'run', run or '', 'since', since)
      end
      since = tonumber(since) + tonumber(ARGV[2])
      local answer, charged = { clock }, {}
      for i = 4, #ARGV, 4 do
        local key, start = ARGV[i], tonumber(ARGV[i + 1])
        local window = redis.call('HMGET', budget, key .. ':start', key .. ':used', key .. ':stated')
        local last = tonumber(window[1] or -1)
        local used = start == last and tonumber(window[2]) or 0
        local isKnown = start >= since or window[3] == ARGV[i + 1]
        local after = used + tonumber(ARGV[i + 3])
        if start < last or not isKnown or after > tonumber(ARGV[i + 2]) then answer[#answer + 1] = i / 4 - 1 end
        charged[#charged + 1] = key .. ':start'
        charged[#charged + 1] = ARGV[i + 1]
        charged[#charged + 1] = key .. ':used'
        charged[#charged + 1] = string.format('%.0f', after)
      end
      redis.call('PEXPIRE', budget, ${WEEK_MS})
      if #answer == 1 then redis.call('HSET', budget, unpack(charged)) end
      return answer`,
  },

  /**
   * KEYS budget. ARGV taken at, margin and delay, window, its start, the stated count. A count that was forgotten is known
   * again when the venue states it in answer to a request that was granted so late (`delay`) that all those granted before the
   * loss had arrived.
   */
  settleBudget: {
    numberOfKeys: 1,
    lua: `
      local budget, key, start = KEYS[1], ARGV[3], tonumber(ARGV[4])
      local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
      local window = redis.call('HMGET', budget, 'run', 'since', key .. ':start', key .. ':used')
      if not run or window[1] ~= run then return 0 end
      local last = tonumber(window[3] or -1)
      if start < last then return 0 end
      local used = start == last and tonumber(window[4]) or 0
      local count = string.format('%.0f', math.max(used, tonumber(ARGV[5])))
      redis.call('HSET', budget, key .. ':start', ARGV[4], key .. ':used', count)
      if tonumber(ARGV[1]) >= tonumber(window[2]) + tonumber(ARGV[2]) then
        redis.call('HSET', budget, key .. ':stated', ARGV[4])
      end
      return 1`,
  },
} as const

type Argument = string | number

export type ScriptCommands = {
  acquireLock(lock: string, fence: string, ...rest: Argument[]): Promise<string | null>
  renewLock(lock: string, ...rest: Argument[]): Promise<number>
  releaseLock(lock: string, ...rest: Argument[]): Promise<number>
  lookForToken(token: string, claim: string, ...rest: Argument[]): Promise<string | number>
  endClaim(token: string, claim: string, ...rest: Argument[]): Promise<number>
  removeToken(token: string, ...rest: Argument[]): Promise<number>
  takeBudget(budget: string, ...rest: Argument[]): Promise<number[] | null>
  settleBudget(budget: string, ...rest: Argument[]): Promise<number>
}
