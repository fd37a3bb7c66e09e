/** What this JTS is called to the outside. */
export const VERSION = '0.1.0'
