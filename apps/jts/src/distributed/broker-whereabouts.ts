/** Where the broker services of a run answer: whoever owns the unit says so. */
import { BrokerError } from '@jts/broker-kit'
import { HostServiceService } from '@jts/contracts/host-api'
import type { OwnerLinks } from '@jts/transport/rpc/owner-links'
import type { BrokerServices } from '../brokers/broker-services.ts'
import type { RunFile } from './run-file.ts'
import { unitOfBroker } from './units.ts'

const DEADLINE_MS = 2000

export function brokerServicesOf(run: RunFile, links: OwnerLinks): BrokerServices {
  return {
    key: run.brokerKey,
    async locate(account) {
      const unit = unitOfBroker(account)
      let url: string
      try {
        const options = { deadlineMs: DEADLINE_MS }
        url = (await links.linkTo(unit).call(HostServiceService.getState, {}, true, options)).httpUrl
      } catch (cause) {
        throw away(`${unit} does not answer: ${(cause as Error).message}`, cause)
      }
      if (url === '') throw away(`${unit} does not answer the Broker API yet`)
      return url
    },
  }
}

const away = (message: string, cause?: unknown): BrokerError =>
  new BrokerError('BROKER_UNAVAILABLE', message, { retryable: true, cause })
