/** Whoever owns the units of a run now, for one who only asks: a test, a measurement. */
import { HostServiceService, type HostState } from '@jts/contracts/host-api'
import { OwnerLinks } from '@jts/transport/rpc/owner-links'
import type { RpcLink } from '@jts/transport/rpc/grpc-client'
import { connectPostgres } from '@jts/transport/store/postgres-connection'
import { UnitTable } from '@jts/transport/store/unit-table'
import { databaseUrlOf, SERVICE_NAMES, settingsOf, tlsOf, type RunFile } from './run-file.ts'
import { unitsOf } from './units.ts'

export type RunLinks = {
  readonly units: readonly string[]
  linkTo(unit: string): RpcLink
  /** What the owners of all units say of themselves; those that do not answer are left out. */
  states(): Promise<readonly HostState[]>
  close(): Promise<void>
}

const DEADLINE_MS = 1000

/** @param databaseUrl where the run's file does not say it */
export async function openRunLinks(run: RunFile, databaseUrl = databaseUrlOf(run)): Promise<RunLinks> {
  const settings = await settingsOf(run)
  const units = SERVICE_NAMES.flatMap((service) => unitsOf(service, settings).map(({ name }) => name))
  const sql = connectPostgres(databaseUrl, 'observer')
  const links = new OwnerLinks({ directory: new UnitTable(sql, run.namespace), ...tlsOf(run) })
  return {
    units,
    linkTo: (unit) => links.linkTo(unit),
    async states() {
      const options = { deadlineMs: DEADLINE_MS, waitForReady: false }
      const asked = units.map((unit) => links.linkTo(unit).call(HostServiceService.getState, {}, true, options))
      return (await Promise.allSettled(asked)).flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    },
    async close() {
      links.close()
      await sql.end({ timeout: 2 })
    },
  }
}
