/**
 * What lies in PostgreSQL beside the services' tables: who owns a unit, how far its consumers and streams are, and the events
 * that have not reached Kafka yet. A unit is what one process owns at a time: a service, or one account or strategy instance
 * of it. The replicas of a service that live are there too, for whoever shares its units among them.
 *
 * A turn's commit is one call of one function, so that it is whole or not at all on any connection, in one round trip. The
 * function is made from the unit's tables; its SQL is static, so its plans are kept.
 */
import { columnTypes, onConflictSql, type Table } from './table.ts'

/** SQLSTATEs of our own: a commit that must not happen says which rule it broke. */
export const REFUSED = { notOwner: 'JT001', offsetMoved: 'JT002', sequenceMoved: 'JT003' } as const

/** Versions of the shared schema, in order; each runs once. */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE units (
    unit text COLLATE "C" PRIMARY KEY, epoch bigint NOT NULL, owner text NOT NULL,
    lease_until timestamptz NOT NULL, commits bigint NOT NULL);
  CREATE TABLE offsets (
    unit text COLLATE "C", consumer text COLLATE "C", topic text COLLATE "C", partition bigint,
    next bigint NOT NULL, epoch bigint NOT NULL, PRIMARY KEY (unit, consumer, topic, partition));
  CREATE TABLE seen (
    unit text COLLATE "C", consumer text COLLATE "C", topic text COLLATE "C", stream text COLLATE "C",
    sequence bigint NOT NULL, PRIMARY KEY (unit, consumer, topic, stream));
  CREATE TABLE streams (
    topic text COLLATE "C", stream text COLLATE "C", sequence bigint NOT NULL, PRIMARY KEY (topic, stream));
  CREATE TABLE outbox (
    topic text COLLATE "C", stream text COLLATE "C", sequence bigint, unit text COLLATE "C" NOT NULL,
    event bytea NOT NULL, PRIMARY KEY (topic, stream, sequence));
  CREATE INDEX outbox_unit ON outbox (unit);
  `,
  `
  DO $do$ BEGIN
    IF EXISTS (SELECT 1 FROM units WHERE unit IN ('order-execution', 'portfolio-tracker', 'strategy-engine')) THEN
      RAISE EXCEPTION 'expected units by account and strategy instance, found those of an earlier version: give this run another folder (--data-dir)';
    END IF;
  END $do$;
  ALTER TABLE units ADD COLUMN address text NOT NULL DEFAULT '', ADD COLUMN since timestamptz NOT NULL DEFAULT now();
  CREATE TABLE replicas (
    service text COLLATE "C", replica text COLLATE "C", address text NOT NULL, since timestamptz NOT NULL,
    alive_until timestamptz NOT NULL, PRIMARY KEY (service, replica));
  `,
  `
  CREATE TABLE halts (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, unit text COLLATE "C" NOT NULL, account text COLLATE "C" NOT NULL,
    reason text NOT NULL, said_by text NOT NULL);
  `,
  `
  ALTER TABLE halts ADD COLUMN strategy text COLLATE "C" NOT NULL DEFAULT '', ADD COLUMN state text NOT NULL DEFAULT 'halted';
  `,
]

export function sharedSchemaName(namespace: string): string {
  return quoted(`${namespace}.bus`)
}

/** Statements that bring the shared schema to today's version; run them in one transaction under an advisory lock. */
export function migrationsFrom(version: number): readonly string[] {
  return MIGRATIONS.slice(version)
}

export const SCHEMA_VERSION = MIGRATIONS.length

/** PostgreSQL cuts a longer name off in silence. */
const NAME_MAX = 63

export function unitSchemaName(namespace: string, unit: string): string {
  const name = `${namespace}.${unit}`
  if (!/^[A-Za-z0-9._-]+$/.test(name) || name.length > NAME_MAX) {
    throw new Error(
      `expected a unit's name of letters, digits, dots and dashes, at most ${NAME_MAX} with its namespace, found ${JSON.stringify(name)}`,
    )
  }
  return quoted(name)
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** The commit function of a unit whose tables are there. */
export function unitSql(options: {
  readonly shared: string
  readonly schema: string
  readonly unit: string
  readonly tables: readonly Table<never>[]
}): string {
  const { shared, schema, unit, tables } = options
  const unitText = `'${unit}'`
  const parameters = tables.flatMap((_, i) => [`put${i} jsonb`, `remove${i} jsonb`])
  const writes = tables.map((table, i) => {
    const name = `${schema}.${table.name}`
    const types = columnTypes(table, 'postgres').map((column) => column.replace(' COLLATE "C"', ''))
    const keyTypes = types.filter((_, column) => table.key.includes(table.columns[column]!))
    const match = table.key.map((column) => `t.${column} = r.${column}`).join(' AND ')
    return `
    IF put${i} IS NOT NULL THEN
      INSERT INTO ${name} (${table.columns.join(', ')})
        SELECT ${table.columns.join(', ')} FROM jsonb_to_recordset(put${i}) AS r(${types.join(', ')}) ${onConflictSql(table)};
    END IF;
    IF remove${i} IS NOT NULL THEN
      DELETE FROM ${name} t USING jsonb_to_recordset(remove${i}) AS r(${keyTypes.join(', ')}) WHERE ${match};
    END IF;`
  })
  return `
  DO $do$ DECLARE f regprocedure; BEGIN
    FOR f IN SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
      WHERE p.proname = 'commit_turn' AND n.nspname = '${schema.slice(1, -1)}'
    LOOP EXECUTE 'DROP FUNCTION ' || f; END LOOP;
  END $do$;
  CREATE FUNCTION ${schema}.commit_turn(
    this_epoch bigint, this_number bigint, is_durable boolean, moves jsonb, handled jsonb,
    topics text[], streams text[], firsts bigint[], lasts bigint[],
    places bigint[], sequences bigint[], starts bigint[], sizes bigint[], events bytea${parameters.map((p) => `, ${p}`).join('')}
  ) RETURNS bigint LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $commit$
  #variable_conflict use_column
  DECLARE entry record; touched bigint;
  BEGIN
    IF NOT is_durable THEN PERFORM set_config('synchronous_commit', 'off', true); END IF;
    UPDATE ${shared}.units SET commits = this_number WHERE unit = ${unitText} AND epoch = this_epoch AND commits = this_number - 1;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'unit % is no longer owned at epoch % with % commits', ${unitText}, this_epoch, this_number - 1
        USING ERRCODE = '${REFUSED.notOwner}';
    END IF;
    IF moves IS NOT NULL THEN
      UPDATE ${shared}.offsets o SET next = r.next, epoch = this_epoch
        FROM jsonb_to_recordset(moves) AS r(consumer text, topic text, partition bigint, last bigint, next bigint)
        WHERE o.unit = ${unitText} AND o.consumer = r.consumer AND o.topic = r.topic AND o.partition = r.partition
          AND o.next = r.last AND o.epoch = this_epoch;
      GET DIAGNOSTICS touched = ROW_COUNT;
      IF touched <> jsonb_array_length(moves) THEN
        RAISE EXCEPTION 'expected % offsets to move, found %: another owner has moved them', jsonb_array_length(moves), touched
          USING ERRCODE = '${REFUSED.offsetMoved}';
      END IF;
    END IF;
    IF handled IS NOT NULL THEN
      INSERT INTO ${shared}.seen (unit, consumer, topic, stream, sequence)
        SELECT ${unitText}, consumer, topic, stream, sequence
          FROM jsonb_to_recordset(handled) AS r(consumer text, topic text, stream text, sequence bigint)
        ON CONFLICT (unit, consumer, topic, stream) DO UPDATE SET sequence = excluded.sequence;
    END IF;
    IF cardinality(topics) > 0 THEN
      FOR entry IN
        SELECT e.topic, e.stream, e.first, e.last FROM unnest(topics, streams, firsts, lasts) AS e(topic, stream, first, last)
          ORDER BY e.topic COLLATE "C", e.stream COLLATE "C"
      LOOP
        INSERT INTO ${shared}.streams AS s (topic, stream, sequence) VALUES (entry.topic, entry.stream, entry.last)
          ON CONFLICT (topic, stream) DO UPDATE SET sequence = excluded.sequence WHERE s.sequence = entry.first - 1;
        IF NOT FOUND THEN
          RAISE EXCEPTION 'stream %/% is no longer at sequence %', entry.topic, entry.stream, entry.first - 1
            USING ERRCODE = '${REFUSED.sequenceMoved}';
        END IF;
      END LOOP;
      INSERT INTO ${shared}.outbox (topic, stream, sequence, unit, event)
        SELECT topics[e.place], streams[e.place], e.sequence, ${unitText}, substring(events FROM e.start::int FOR e.size::int)
          FROM unnest(places, sequences, starts, sizes) AS e(place, sequence, start, size);
    END IF;
    ${writes.join('')}
    RETURN this_number;
  END $commit$;`
}
