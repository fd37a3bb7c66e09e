/**
 * What of a service one process can own apart from the rest: strategies by instance, orders, ledgers and the broker's credentials
 * by account, market data by partition. Risk and notifications are one unit each, with the other replicas standing by.
 */
import { candlesTopic, partitionOf, TOPICS, tradesTopic, type Topic } from '@jts/contracts'
import { accountBroker, instrumentVenue, type InstrumentId } from '@jts/model'
import { computedId } from '@jts/runtime'
import { venuesOf, type RunSettings } from '../services.ts'
import type { ServiceName } from './run-file.ts'

export type Unit = {
  readonly name: string
  /** The run as this unit sees it: its accounts, its strategy instances. */
  readonly settings: RunSettings
  /** The streams that it reads; without a topic's entry, all of it. */
  readonly streams: Partial<Record<Topic, readonly string[]>>
}

/** With the namespace before it, PostgreSQL's 63 characters hold it. */
const NAME_MAX = 48

export function unitsOf(service: ServiceName, settings: RunSettings): readonly Unit[] {
  const { accounts, instances } = settings
  switch (service) {
    case 'order-execution':
      return accounts.map((one) => ({
        name: unitName(service, one.account),
        settings: { ...settings, accounts: [one] },
        streams: { 'orders.signals': [one.account] },
      }))
    case 'portfolio-tracker':
      return accounts.map((one) => ({
        name: unitName(service, one.account),
        settings: { ...settings, accounts: [one] },
        streams: { 'orders.events': [one.account] },
      }))
    case 'strategy-engine':
      return groupsOf(settings).map(([name, group]) => ({
        name: unitName(service, name),
        settings: { ...settings, instances: group },
        streams: {
          ...marketStreams(group.map((one) => one.instrument.id)),
          'orders.events': [...new Set(group.map((one) => one.account))],
        },
      }))
    case 'market-data-collector': {
      const places = [...new Set(instances.map((one) => placeOf(one.instrument.id)))]
      const traded = places.map((place) => ({
        name: unitName(service, place),
        settings: {
          ...settings,
          instances: instances.filter((one) => placeOf(one.instrument.id) === place),
          ...collecting(settings, place.slice(0, place.indexOf('.')).toUpperCase(), (at) => at === place),
        },
        streams: {},
      }))
      if (settings.replay) return traded
      const others = venuesOf(settings).map((venue) => ({
        name: unitName(service, `${venue.toLowerCase()}.others`),
        settings: { ...settings, instances: [], ...collecting(settings, venue, (at) => !places.includes(at)) },
        streams: {},
      }))
      return [...traded, ...others]
    }
    case 'binance-service': {
      const own = accounts.filter((one) => accountBroker(one.account) === 'binance')
      const hasMarket = instances.some((one) => instrumentVenue(one.instrument.id) === 'BINANCE')
      return [
        ...own.map((one) => ({
          name: unitOfBroker(one.account),
          settings: { ...settings, accounts: [one] },
          streams: {},
        })),
        ...(hasMarket ? [{ name: unitOfBroker(undefined), settings: { ...settings, accounts: [] }, streams: {} }] : []),
      ]
    }
    case 'risk-management':
    case 'notification-service':
      return [{ name: service, settings, streams: {} }]
  }
}

/** The unit of the broker service that holds an account's credential; without an account, the one that serves the market data. */
export function unitOfBroker(account: string | undefined): string {
  return unitName('binance-service', account ?? 'market-data')
}

/** The unit of the collector that tells an instrument's series. */
export function unitOfMarket(instrument: InstrumentId): string {
  return unitName('market-data-collector', placeOf(instrument))
}

/** The unit of a service that has to do with an account. */
export function unitOfAccount(service: 'order-execution' | 'portfolio-tracker', account: string): string {
  return unitName(service, account)
}

/**
 * A strategy instance is a unit of its own. In a replay those that watch one instrument stay together: signals of one event are
 * decided in the order of their instances, and only one process can keep that order.
 */
function groupsOf({ instances, replay }: RunSettings): [string, RunSettings['instances']][] {
  if (!replay) return instances.map((one) => [one.instance, [one]])
  const instruments = [...new Set(instances.map((one) => one.instrument.id))]
  return instruments.map((id) => [id.replace(':', '.'), instances.filter((one) => one.instrument.id === id)])
}

/**
 * What is traded is streamed, and collected, by the unit of its partition; of a whole market the rest is one more unit: no stream
 * of events has two writers.
 */
function collecting(
  { replay }: RunSettings,
  venue: string,
  isOwn: (place: string) => boolean,
): Pick<RunSettings, 'collects'> {
  if (replay) return {}
  return { collects: { venue, owns: (id) => instrumentVenue(id) === venue && isOwn(placeOf(id)) } }
}

/** One writer for each partition of a venue's market data, however many instruments and timeframes lie in it. */
function placeOf(instrument: InstrumentId): string {
  const venue = instrumentVenue(instrument)
  return `${venue.toLowerCase()}.${partitionOf(instrument, TOPICS[candlesTopic(venue)].partitions)}`
}

function marketStreams(ids: readonly InstrumentId[]): Partial<Record<Topic, readonly string[]>> {
  const streams: Partial<Record<Topic, string[]>> = {}
  for (const id of new Set(ids)) {
    const venue = instrumentVenue(id)
    for (const topic of [candlesTopic(venue), tradesTopic(venue)]) (streams[topic] ??= []).push(id)
  }
  return streams
}

function unitName(service: ServiceName, part: string): string {
  const name = `${service}.${part}`
  return name.length <= NAME_MAX ? name : `${name.slice(0, NAME_MAX - 11)}.${computedId(part).slice(0, 10)}`
}
