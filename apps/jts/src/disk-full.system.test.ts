/** A full disk: the process ends and says why; with room again the same command goes on to the same fills. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { runJts, startJts, writeSyntheticBars } from '@jts/testkit'

type Summary = { fillsSha256: string; reconciled: boolean }

test('a replay whose disk is full ends with its reason, and goes on when there is room again', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'jts-full-'))
  const disk = join(folder, 'disk')
  const sudo = process.getuid?.() === 0 ? [] : ['sudo', '-n']
  const root = (...command: string[]): void => {
    const [program, ...args] = [...sudo, ...command]
    execFileSync(program!, args)
  }
  execFileSync('mkdir', [disk])
  root('mount', '-t', 'tmpfs', '-o', 'size=2m,mode=777', 'tmpfs', disk)
  try {
    const file = writeSyntheticBars(join(folder, 'BTCUSDT-1m-synthetic.csv'), { bars: 1500, seed: 3 })
    const expected = JSON.parse((await runJts(['backtest', 'ema-cross', '--data', file, '--json'])).stdout) as Summary
    const venueProcess = startJts(['venue', 'binance', '--port', '0', '--replay', file, '--json'])
    const venue = JSON.parse(await venueProcess.firstLine) as Record<string, string>
    const env = { JTS_BINANCE_API_KEY: venue['apiKey']!, JTS_BINANCE_API_SECRET: venue['apiSecret']! }
    const args = [
      ...['up', '--venue', `binance=${venue['restUrl']}`, '--replay', file, '--strategy', 'ema-cross'],
      ...['--until-end', '--json', '--data-dir', join(disk, 'jts'), '--send-window-ms', '500'],
    ]
    const full = await runJts(args, env)
    assert.equal(full.code, 70, full.stderr)
    assert.equal(full.stdout, '')
    assert.match(full.stderr, /full/)
    root('mount', '-o', 'remount,size=64m', disk)
    const again = await runJts(args, env)
    assert.equal(again.code, 0, again.stderr)
    const summary = JSON.parse(again.stdout) as Summary
    assert.equal(summary.fillsSha256, expected.fillsSha256)
    assert.equal(summary.reconciled, true)
    venueProcess.child.kill('SIGKILL')
    await venueProcess.ended
  } finally {
    root('umount', '-l', disk)
    rmSync(folder, { recursive: true, force: true })
  }
})
