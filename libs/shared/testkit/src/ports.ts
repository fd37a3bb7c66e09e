/** For what closes its port and listens there again: a port that nobody else is given meanwhile. */
export { freePort } from '@jts/servers/ports'
