/** The built page in a real browser against a gateway with made-up ports. Screenshots go to a folder that the test names. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { chromium, type Browser, type BrowserContextOptions, type Locator, type Page } from 'playwright-core'
import { createApiGateway, type ApiGateway } from '@jts/api-gateway'
import { FakePorts } from '@jts/api-gateway/testing/fake-ports'
import type { Mode } from '@jts/model/ids'
import { silentLogger } from '@jts/runtime'
import { buildWebApp, WEB_ROOT } from '../src/web-build.ts'

const BTC = 'BINANCE:BTCUSDT'
const BROWSERS = [
  process.env['CHROMIUM_PATH'] ?? '',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
]
const executablePath = BROWSERS.find((path) => path !== '' && existsSync(path))
if (executablePath === undefined) throw new Error('expected Chromium, found none; CHROMIUM_PATH may name it')
const BROWSER_ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
]
const DESKTOP = { width: 1600, height: 900 }

describe('first screen', { timeout: 180_000 }, () => {
  let browser: Browser
  const webRoot = WEB_ROOT
  const pictures = process.env['JTS_SCREENSHOTS'] ?? mkdtempSync(join(tmpdir(), 'first-screen-'))

  before(async () => {
    await buildWebApp(silentLogger)
    browser = await chromium.launch({ executablePath, args: BROWSER_ARGS })
  })
  after(async () => {
    await browser?.close()
    console.log(`screenshots: ${pictures}`)
  })

  type Screen = { page: Page; ports: FakePorts; gateway: ApiGateway; url: string; errors: string[] }

  async function withScreen(
    options: { mode?: Mode; empty?: boolean } & BrowserContextOptions,
    check: (screen: Screen) => Promise<void>,
  ): Promise<void> {
    const { mode = 'sim', empty = false, ...context } = options
    const ports = new FakePorts({ mode, empty })
    const gateway = createApiGateway({ ports, port: 0, webRoot, log: silentLogger, mode })
    const { url } = await gateway.start()
    const opened = await browser.newContext({ viewport: DESKTOP, locale: 'ko-KR', colorScheme: 'dark', ...context })
    const page = await opened.newPage()
    const errors: string[] = []
    page.on('pageerror', (error) => errors.push(error.message))
    page.on('console', (message) => {
      if (message.type() === 'error') errors.push(message.text())
    })
    try {
      await page.goto(url)
      await check({ page, ports, gateway, url, errors })
    } finally {
      await opened.close()
      await gateway.stop()
    }
  }

  const live = (page: Page) => page.locator('[data-testid=connection].live').waitFor()
  const picture = (page: Page, name: string) => page.screenshot({ path: join(pictures, `${name}.png`) })

  /** Until the chart's largest canvas holds candles (a blank one has few colours) in another picture than `before`. Returns the picture. */
  const drawn = async (page: Page, before = ''): Promise<string> => {
    const picture = await page.waitForFunction(
      (other) => {
        const canvases = [...document.querySelectorAll<HTMLCanvasElement>('[data-testid=chart] canvas')]
        const largest = canvases.sort((a, b) => b.width * b.height - a.width * a.height)[0]
        if (largest === undefined || largest.width === 0 || largest.height === 0) return undefined
        const { data } = largest.getContext('2d')!.getImageData(0, 0, largest.width, largest.height)
        const colours = new Set<number>()
        for (let at = 0; at < data.length; at += 4)
          colours.add((data[at]! << 16) | (data[at + 1]! << 8) | data[at + 2]!)
        const found = largest.toDataURL()
        return colours.size > 3 && found !== other ? found : undefined
      },
      before,
      { polling: 100 },
    )
    return (await picture.jsonValue())!
  }

  it('draws the candles and shows what runs, with no word of complaint from the browser', async () => {
    await withScreen({}, async ({ page, errors }) => {
      await live(page)
      await page.waitForFunction(() => document.querySelectorAll('[data-testid=orders] tbody tr').length > 5)
      await drawn(page)
      assert.match((await page.getByTestId('mode').textContent()) ?? '', /SIM/)
      assert.equal(await page.getByTestId('trading-state').textContent(), '거래 중')
      assert.match(
        (await page.getByTestId('decisions').textContent()) ?? '',
        /차단.*KRX:005930.*NOTIONAL_MAX_PER_ORDER 1회 주문 한도를 넘습니다/,
      )
      assert.match(await page.locator('.services').innerText(), /kis-service\s+시작 중\s+connecting to the stream/)
      assert.equal(await page.locator('html').getAttribute('data-colours'), 'kr')
      assert.ok(await page.evaluate(() => document.documentElement.scrollHeight <= window.innerHeight), 'one screen')
      await picture(page, 'desktop-dark-ko')
      assert.deepEqual(errors, [])
    })
  })

  it('says why an order came to nothing, in the words of the reader, and as it was said', async () => {
    await withScreen({}, async ({ page }) => {
      await live(page)
      const reasonOf = (chip: string): Promise<string> =>
        page.getByTestId('orders').getByRole('row').filter({ hasText: chip }).first().locator('td').last().innerText()
      const refused = 'INSUFFICIENT_BALANCE: Account has insufficient balance for requested action.'
      const denied = 'NOTIONAL_MAX_PER_ORDER: expected at most 5000000 KRW, found 14280000 KRW'
      assert.equal(await reasonOf('거부'), `잔고가 부족합니다 · ${refused}`)
      assert.equal(await reasonOf('차단'), `1회 주문 한도를 넘습니다 · ${denied}`)
      await page.getByRole('button', { name: 'English' }).click()
      await page.getByTestId('orders').getByText('Rejected', { exact: true }).waitFor()
      assert.deepEqual([await reasonOf('Rejected'), await reasonOf('Denied')], [refused, denied])
    })
  })

  it('says which account only reduces and why, what differs, and what moved without a trade', async () => {
    await withScreen({}, async ({ page, ports }) => {
      const account = 'sim.binance.main'
      ports.accountStates = [
        { account, instrument: '', state: 'reducing', code: 'HEARTBEAT_MISSING', reason: 'expected a heartbeat' },
      ]
      ports.accountChanges = {
        adjusted: { USDT: '1000' },
        reconciled: 'different',
        differences: [{ currency: 'USDT', ours: '1000', venue: '749.5' }],
      }
      await page.reload()
      await live(page)
      const said = await page.getByTestId('account-state').textContent()
      assert.match(said ?? '', /sim\.binance\.main: 축소만 허용.*신호가 끊겼습니다/)
      const resume = page.locator('header').getByRole('button', { name: '거래 재개' })
      assert.equal(await resume.count(), 0, 'silence ends by itself')
      const card = await page.locator('.account').first().innerText()
      assert.match(card.replace(/\s+/g, ' '), /매매 외 입출금 1,000\.00 USDT.*USDT: 장부 1000, 브로커 749\.5\./)
      ports.accountStates = [{ account, instrument: '', state: 'reducing', code: 'FOREIGN_ORDER', reason: 'order 7' }]
      await page.reload()
      await live(page)
      // What only a person ends can be ended here.
      await resume.click()
      await page.getByRole('dialog').getByRole('button', { name: '거래 재개' }).click()
      await page.locator('.toast').waitFor()
      assert.deepEqual(ports.commands.at(-1)?.command, 'resume')
    })
  })

  it('shows won by the day they are settled, and what the broker lets an order use, in both languages', async () => {
    await withScreen({}, async ({ page, errors }) => {
      await live(page)
      const settlement = page.getByTestId('settlement')
      const rows = () => settlement.locator('tr').allInnerTexts()
      const said = (text: string) => text.replace(/\s+/g, ' ').trim()
      assert.equal(await settlement.count(), 1, 'of the account whose market settles later, and of no other')
      assert.deepEqual((await rows()).map(said), [
        '결제일 받을 금액 낼 금액',
        '예수금 03-14 32,054,020 KRW',
        '03-17 – 1,428,214',
        '03-18 1,712,442 857,748',
        '주문 가능 (브로커) 10:14:00 30,629,190 KRW',
      ])
      await settlement.scrollIntoViewIfNeeded()
      await picture(page, 'desktop-settlement-ko')
      await page.getByRole('button', { name: 'English' }).click()
      assert.deepEqual(
        (await rows()).map(said).map((row) => row.replace(/ [\d–].*/, '')),
        ['Day Receivable Payable', 'Settled', '03-17', '03-18', 'Orderable, by the broker'],
      )
      await picture(page, 'desktop-settlement-en')
      assert.deepEqual(errors, [])
    })
  })

  it('shows how far a collection of a whole market is, then how it ended, in both languages', async () => {
    await withScreen({}, async ({ page, ports, errors }) => {
      await live(page)
      const collections = page.getByTestId('collections')
      const said = async () => (await collections.innerText()).replace(/\s+/g, ' ')
      assert.equal(await collections.count(), 0, 'nothing where none was ever begun')
      // 17:00 in Seoul on the Friday that the screen shows, and on the Monday after it.
      const [friday, monday] = [1_741_939_200_000_000, 1_742_198_400_000_000]
      ports.putCollection({ by: 'schedule', state: 'scheduled', total: 0, nextUs: friday })
      await collections.waitFor()
      assert.equal(await said(), 'KRX 1d 수집 전 다음 예약 실행 17:00:00 KST')
      // Another timeframe of this day is still to come.
      ports.putCollection({ by: 'schedule', done: 1441, candles: 351_604, nextUs: 1_741_852_800_000_000 })
      await collections.getByRole('progressbar').waitFor()
      assert.equal(
        await said(),
        'KRX 1d 수집 중 예약 실행 · 종목 1,441/2,882 · 새 봉 351,604개 다음 예약 실행: 바로 이어서',
      )
      assert.equal(await collections.getByRole('progressbar').getAttribute('value'), '1441')
      const panel = page.locator('.collections')
      assert.ok(await panel.evaluate(({ scrollHeight, clientHeight }) => scrollHeight <= clientHeight), 'whole')
      await picture(page, 'desktop-collecting-ko')

      await page.getByRole('button', { name: 'English' }).click()
      const reason = 'expected bars in order of time, none twice, found 2026-01-02 after 2026-01-05'
      const failures = [1, 2, 3, 4, 5].map((n) => ({ instrument: `KRX:00000${n}`, reason, attempts: 3 }))
      const ended = {
        state: 'done',
        done: 2882,
        candles: 703_208,
        gaps: 12,
        failures,
        endedUs: 1_741_943_000_000_000,
        nextUs: monday,
      }
      ports.putCollection({ fromDay: '2025-03-03', ...ended } as Parameters<FakePorts['putCollection']>[0])
      await collections.getByRole('progressbar').waitFor({ state: 'detached' })
      const words = await said()
      assert.match(
        words,
        /^KRX 1d done, not all (?:\d\d-\d\d )?\d\d:\d\d:\d\d by hand · from 2025-03-03 · 2,882 of 2,882/,
      )
      assert.match(
        words,
        /· new candles 703,208 · gaps 12 · failed 5 next by the calendar 03-17 17:00:00 KST KRX:000001 expected/,
      )
      assert.match(words, /KRX:000003 .* and 2 more$/)
      await panel.scrollIntoViewIfNeeded()
      await picture(page, 'desktop-collected-en')
      assert.deepEqual(errors, [])
    })
  })

  it('shows what waits for its market to take orders, until it is decided, in both languages', async () => {
    await withScreen({}, async ({ page, ports, errors }) => {
      await live(page)
      // 08:30:05 in Seoul.
      ports.wait('KRX:005930', 'buy', 1_741_995_005_000_000)
      const strategies = page.locator('.strategies')
      const said = async (where: Locator) => (await where.innerText()).replace(/\s+/g, ' ')
      await strategies.getByText('대기', { exact: true }).waitFor()
      assert.match(await said(strategies), /대기 매수 12 주문 접수 시작 (?:03-15 )?08:30:05/)
      const decision = page.getByTestId('decisions').locator('li').first()
      assert.match(await said(decision), /^대기 ?매수 KRX:005930 .* 주문 접수 시작 (?:03-15 )?08:30:05$/)
      assert.ok((await decision.boundingBox())!.height < 100, 'as tall as any decision')
      await picture(page, 'desktop-waiting-ko')
      await page.getByRole('button', { name: 'English' }).click()
      assert.match(
        await said(decision),
        /^Waiting ?Buy KRX:005930 .* its market takes orders from (?:03-15 )?08:30:05$/,
      )
      await strategies.scrollIntoViewIfNeeded()
      await picture(page, 'desktop-waiting-en')

      ports.open()
      await strategies.getByText('Waiting', { exact: true }).waitFor({ state: 'detached' })
      assert.match(await said(decision), /^Approved ?Buy KRX:005930/)
      assert.deepEqual(errors, [])
    })
  })

  it('shows a fill and a candle live, without a reload', async () => {
    await withScreen({}, async ({ page, ports }) => {
      await live(page)
      await page.getByRole('button', { name: '체결' }).click()
      const rows = page.locator('[data-testid=fills] tbody tr')
      await rows.first().waitFor()
      const before = await rows.count()
      const chart = page.getByTestId('chart')
      const summary = await chart.getAttribute('aria-label')
      for (let index = 0; index < 40; index++) ports.tick(BTC)
      const fill = ports.fill(BTC, 'sell')
      await page.waitForFunction(
        (count) => document.querySelectorAll('[data-testid=fills] tbody tr').length === count + 1,
        before,
      )
      assert.match((await rows.first().textContent()) ?? '', new RegExp(`매도${fill.quantity}`))
      await page.waitForFunction(
        (was) => document.querySelector('[data-testid=chart]')?.getAttribute('aria-label') !== was,
        summary,
      )
      await page.locator('.legend .tag.sell').waitFor()
      await picture(page, 'desktop-live-fill')
    })
  })

  it('asks before it halts, says what that does, and shows the new state; then resumes', async () => {
    await withScreen({}, async ({ page, ports }) => {
      await live(page)
      await page.getByRole('button', { name: '거래 정지' }).click()
      const dialog = page.getByRole('dialog')
      await dialog.waitFor()
      assert.match((await dialog.textContent()) ?? '', /새 주문이 막힙니다.*포지션은 그대로/)
      assert.equal(ports.commands.length, 0)
      await picture(page, 'desktop-halt-dialog')
      await page.keyboard.press('Escape')
      await dialog.waitFor({ state: 'detached' })
      assert.equal(ports.commands.length, 0)

      await page.getByRole('button', { name: '거래 정지' }).click()
      await dialog.getByLabel('사유').fill('뉴스 확인')
      await dialog.getByRole('button', { name: '지금 정지' }).click()
      await page.locator('[data-testid=trading-state].halted').waitFor()
      assert.deepEqual(ports.commands, [{ command: 'halt', reason: '뉴스 확인', by: 'dashboard', state: 'halted' }])
      await page.getByText('주문 취소 1건').waitFor()
      await picture(page, 'desktop-halted')

      await page.getByRole('button', { name: '거래 재개' }).click()
      await dialog.getByRole('button', { name: '거래 재개' }).click()
      await page.locator('[data-testid=trading-state].active').waitFor()
    })
  })

  it('lets everything, or one strategy, only reduce where a person chooses that instead, in both languages', async () => {
    await withScreen({}, async ({ page, ports, errors }) => {
      await live(page)
      const dialog = page.getByRole('dialog')
      const choice = (name: string) => dialog.getByRole('group').getByRole('button', { name, exact: true })
      await page.getByRole('button', { name: '거래 정지' }).click()
      await dialog.getByLabel('사유').fill('변동성')
      await choice('축소만 허용').click()
      assert.match((await dialog.textContent()) ?? '', /축소만 허용할까요\?.*매도 주문은 그대로 나갑니다/)
      await picture(page, 'desktop-reduce-dialog-ko')
      await dialog.getByRole('button', { name: '지금부터 축소만 허용' }).click()
      await page.locator('[data-testid=trading-state].reducing').waitFor()
      await page.getByText('축소만 허용합니다. 매수 주문 취소 1건').waitFor()
      await picture(page, 'desktop-reducing-ko')
      // What only reduces can be halted or resumed.
      await page.getByRole('button', { name: '거래 정지' }).click()
      assert.equal(await dialog.getByRole('group').count(), 0)
      await page.keyboard.press('Escape')

      await page.getByRole('button', { name: 'English' }).click()
      const row = page.locator('.strategies li').filter({ hasText: 'ema-btc' })
      await page.getByRole('button', { name: 'Halt strategy ema-btc' }).click()
      assert.equal(await choice('Halt').getAttribute('aria-pressed'), 'true')
      await choice('Reduce only').click()
      await picture(page, 'desktop-strategy-reduce-dialog-en')
      await dialog.getByRole('button', { name: 'Let it only reduce' }).click()
      await row.getByText('Reducing only').waitFor()
      await page.getByText('ema-btc only reduces. Buys cancelled 1').waitFor()
      const by = { by: 'dashboard', state: 'reducing' }
      assert.deepEqual(ports.commands, [
        { command: 'halt', ...by, reason: '변동성' },
        { command: 'halt', ...by, reason: 'reducing from the dashboard', instance: 'ema-btc' },
      ])
      assert.deepEqual(errors, [])
    })
  })

  it('halts one strategy after a question, shows it beside its name, and resumes it, in both languages', async () => {
    await withScreen({}, async ({ page, ports, errors }) => {
      await live(page)
      const row = (instance: string) => page.locator('.strategies li').filter({ hasText: instance })
      const dialog = page.getByRole('dialog')
      await page.getByRole('button', { name: 'ema-btc 전략 정지' }).click()
      assert.match((await dialog.textContent()) ?? '', /ema-btc 전략을 정지할까요\?.*다른 전략은 그대로 거래합니다/)
      await dialog.getByLabel('사유').fill('신호가 이상함')
      await picture(page, 'desktop-strategy-halt-dialog-ko')
      await dialog.getByRole('button', { name: '이 전략만 정지' }).click()
      await row('ema-btc').getByText('거래 정지됨').waitFor()
      assert.match(await row('ema-btc').innerText(), /신호가 이상함/)
      await page.getByText('ema-btc 전략을 정지했습니다. 주문 취소 1건').waitFor()
      assert.equal(await row('breakout-samsung').getByText('거래 정지됨').count(), 0)
      assert.equal(await page.getByTestId('trading-state').textContent(), '거래 중')
      assert.equal(await page.getByRole('button', { name: 'ema-btc 전략 정지' }).count(), 0)
      await picture(page, 'desktop-strategy-halted-ko')

      await page.getByRole('button', { name: 'English' }).click()
      await row('ema-btc').getByText('Halted').waitFor()
      await row('breakout-samsung').scrollIntoViewIfNeeded()
      await picture(page, 'desktop-strategy-halted-en')
      await page.getByRole('button', { name: 'Resume strategy ema-btc' }).click()
      await picture(page, 'desktop-strategy-resume-dialog-en')
      await dialog.getByRole('button', { name: 'Resume this strategy' }).click()
      await row('ema-btc').getByText('Halted').waitFor({ state: 'detached' })
      const by = { by: 'dashboard', instance: 'ema-btc' }
      assert.deepEqual(ports.commands, [
        { command: 'halt', ...by, reason: '신호가 이상함', state: 'halted' },
        { command: 'resume', ...by },
      ])
      assert.deepEqual(errors, [])
    })
  })

  it('says why when a halt did not work, and leaves the question open', async () => {
    await withScreen({ locale: 'en-US' }, async ({ page, ports }) => {
      await live(page)
      ports.halt = () => Promise.reject(new Error('broken'))
      await page.getByRole('button', { name: 'Halt trading' }).click()
      await page.getByRole('button', { name: 'Halt now' }).click()
      await page.getByRole('dialog').getByRole('alert').waitFor()
      assert.equal(await page.getByTestId('trading-state').textContent(), 'Trading')
    })
  })

  it('switches language and with it the colours of up and down, and remembers both', async () => {
    await withScreen({ locale: 'en-US', colorScheme: 'light' }, async ({ page }) => {
      await live(page)
      assert.equal(await page.getByTestId('trading-state').textContent(), 'Trading')
      assert.equal(await page.locator('html').getAttribute('data-colours'), 'west')
      await drawn(page)
      await picture(page, 'desktop-light-en')
      await page.getByRole('button', { name: '한국어' }).click()
      assert.equal(await page.getByTestId('trading-state').textContent(), '거래 중')
      assert.equal(await page.locator('html').getAttribute('lang'), 'ko')
      await page.reload()
      await live(page)
      assert.equal(await page.locator('html').getAttribute('data-colours'), 'kr')
      await drawn(page)
      await picture(page, 'desktop-light-ko')
    })
  })

  it('says that data is stale when the gateway stops, and recovers by itself', async () => {
    await withScreen({}, async ({ page, ports, gateway, url }) => {
      await live(page)
      await gateway.stop()
      const banner = page.getByTestId('stale')
      await banner.waitFor()
      assert.match((await banner.textContent()) ?? '', /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \(KST\)/)
      await picture(page, 'desktop-disconnected')
      ports.fill(BTC, 'buy')
      const again = createApiGateway({
        ports,
        port: Number(new URL(url).port),
        webRoot,
        log: silentLogger,
        mode: 'sim',
      })
      await again.start()
      try {
        await live(page)
        await banner.waitFor({ state: 'detached' })
        await page.getByRole('button', { name: '체결' }).click()
        assert.equal(await page.locator('[data-testid=fills] tbody tr').count(), 7)
      } finally {
        await again.stop()
      }
    })
  })

  it('fits a phone without scrolling sideways, the halt button in view', async () => {
    const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true }
    await withScreen(phone, async ({ page, errors }) => {
      await live(page)
      await drawn(page)
      assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 390)
      const halt = await page.getByRole('button', { name: '거래 정지' }).boundingBox()
      assert.ok(halt !== null && halt.x + halt.width <= 390 && halt.y < 100)
      await picture(page, 'phone-dark-ko')
      await page.screenshot({ path: join(pictures, 'phone-full.png'), fullPage: true })
      assert.deepEqual(errors, [])
    })
  })

  it('makes live mode unmistakable', async () => {
    await withScreen({ mode: 'live', locale: 'en-US' }, async ({ page }) => {
      await live(page)
      assert.match((await page.getByTestId('mode').textContent()) ?? '', /LIVE.*real money/)
      await drawn(page)
      await picture(page, 'desktop-live-mode')
    })
    await withScreen({ mode: 'paper', viewport: { width: 1280, height: 760 } }, async ({ page }) => {
      await live(page)
      const other = await drawn(page)
      await page.getByRole('button', { name: 'KRX:005930' }).click()
      await page.locator('[data-testid=chart][aria-label*="KRX:005930"]').waitFor()
      await page.locator('.legend').waitFor()
      await drawn(page, other)
      await picture(page, 'laptop-paper-krx')
    })
  })

  it('says of every list that it is empty when nothing has happened yet, then draws the first candle', async () => {
    await withScreen({ empty: true }, async ({ page, ports }) => {
      await live(page)
      for (const text of [
        '아직 캔들이 없습니다',
        '보유 포지션이 없습니다',
        '주문이 없습니다',
        '리스크 판단이 없습니다',
      ]) {
        await page.getByText(text).waitFor()
      }
      await picture(page, 'desktop-empty')
      for (let index = 0; index < 30; index++) ports.tick(BTC)
      await drawn(page)
    })
  })

  it('says that nothing answers when the ports fail, and shows the screen once they do', async () => {
    await withScreen({ empty: true }, async ({ page, ports }) => {
      ports.failure = new Error('down')
      await page.reload()
      await page.getByText('JTS에 연결할 수 없습니다').waitFor()
      await picture(page, 'desktop-error')
      assert.equal(await page.getByRole('button', { name: '거래 정지' }).isVisible(), true)
      ports.failure = undefined
      await live(page)
    })
  })
})
