/** Real servers for development, tests and `./jts up --distributed`; see README.md. */
export { startKafka, runKafkaTool, type KafkaServer } from './kafka.ts'
export { startRedis, type RedisOptions, type RedisServer } from './redis.ts'
export { startPostgres, type PostgresOptions, type PostgresServer } from './postgres.ts'
export {
  provideKafka,
  providePostgres,
  provideRedis,
  type ProvidedKafka,
  type ProvidedPostgres,
  type ProvidedRedis,
} from './given.ts'
export { installKafka, kafkaInstalled } from './kafka-jars.ts'
export { answers, freePort, isFree } from './ports.ts'
export { JAVA_OLDEST, javaVersion, onPath, postgresFolders } from './programs.ts'
export type { Server, ServerOptions } from './server.ts'
