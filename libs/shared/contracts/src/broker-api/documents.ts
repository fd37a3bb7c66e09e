/** The committed documents, as text. `node libs/shared/contracts/src/broker-api/documents.ts` writes them anew. */
import { writeFileSync } from 'node:fs'
import { stringify } from 'yaml'
import { openApiDocument, streamSchema } from './openapi.ts'
import { SIGNATURE_VECTORS } from './vectors.ts'

const FOLDER = new URL('../../broker-api/', import.meta.url)

export const DOCUMENTS: Readonly<Record<string, () => string>> = {
  'openapi.yaml': () =>
    `# Made of src/broker-api/routes.ts by documents.ts beside it.\n${stringify(openApiDocument(), { lineWidth: 0, aliasDuplicateObjects: false })}`,
  'authentication-vectors.json': () => `${JSON.stringify(SIGNATURE_VECTORS, undefined, 2)}\n`,
  'stream.schema.json': () => `${JSON.stringify(streamSchema(), undefined, 2)}\n`,
}
export const documentUrl = (name: string): URL => new URL(name, FOLDER)

if (import.meta.main) for (const [name, text] of Object.entries(DOCUMENTS)) writeFileSync(documentUrl(name), text())
